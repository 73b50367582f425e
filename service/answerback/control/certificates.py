"""The TLS certificate of the admin API, and the authority of client certificates; files are re-read at every handshake.

Changed files are tested before use: if a certificate, key or authority could not serve, or only one file of a pair
has been replaced, the previous ones stay active.
"""

# Rule: keys are never logged, shown, or part of an error message.

import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from answerback.tls import private_files
from answerback.tls.pairs import Unfit, load_pair, trust, try_out
from answerback.tls.private_files import BadFile, PrivateFile, Trouble

log = logging.getLogger(__name__)

TAKEN: Final = "use RSA with 2048 bits or more, or ECDSA with P-256 or P-384"
# Keys that clients of gRPC's core (ours; C++, Ruby, …) reject, seen as a closed socket; tested with grpcio 1.80.
# Identified by the start of subjectPublicKeyInfo in DER (RFC 8410, RFC 5480), including the bit string's length.
_UNTAKEN: Final = {
    bytes.fromhex("06032b6570 032100"): "Ed25519",
    bytes.fromhex("06032b6571 033a00"): "Ed448",
    bytes.fromhex("06052b81040023 03818600"): "P-521",
}


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The paths of PEM files."""

    certificate: Path
    """The server's certificate, followed by the intermediate ones, without the root."""
    key: Path
    """Its private key, without a passphrase."""
    client_ca: Path | None = None
    """The authorities of client certificates; without it, clients need none."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and key that were tested, with the expiry time and the authority."""

    certificate: PrivateFile
    key: PrivateFile
    client_ca: PrivateFile | None
    until: str

    @property
    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return the same for gRPC."""
        authority = self.client_ca.content if self.client_ca else None
        return grpc.ssl_server_certificate_configuration([(self.key.content, self.certificate.content)], authority)


def read_own(files: CertificateFiles) -> tuple[bytes, bytes]:
    """Read a client's certificate and its key. Raises BadFile."""
    certificate, key = private_files.read(files.certificate), private_files.read(files.key)
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key, TAKEN)
    return certificate.content, key.content


def read_authority(path: Path) -> bytes:
    """Read the certificates of trusted authorities. Raises BadFile."""
    file = private_files.read(path)
    trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), file)
    return file.content


def load(files: CertificateFiles) -> Pair:
    """Read and test the files. Raises BadFile."""
    certificate, key = private_files.read(files.certificate), private_files.read(files.key)
    client_ca = private_files.read(files.client_ca) if files.client_ca else None
    if client_ca is not None:
        trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), client_ca)
    return Pair(certificate, key, client_ca, _tried(certificate, key))


class Certificates:
    """The active certificate. gRPC asks for it at every handshake, in a thread of its own."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises BadFile."""
        self._files = files
        self._lock = threading.Lock()
        self._trouble = Trouble("the certificate before")
        self._pair = load(files)
        self._taken()

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials for gRPC's server."""
        required = self._files.client_ca is not None
        # The stubs lack "None: nothing has changed".
        return grpc.dynamic_ssl_server_credentials(self._pair.configuration, self._changed, required)  # type: ignore[arg-type]

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the new certificate; None if it has not changed."""
        with self._lock:
            try:
                if changed := self._differs():
                    self._pair = load(self._files)
            except BadFile as error:
                self._trouble.met(error)
                return None
            self._trouble.over()
            if not changed:
                return None
            self._taken()
            return self._pair.configuration

    def _differs(self) -> bool:
        """Whether the files differ from the active ones. Raises BadFile."""
        held = (self._pair.certificate, self._pair.key, self._pair.client_ca)
        return any(file and private_files.read(file.path).content != file.content for file in held)

    def _taken(self) -> None:
        pair = self._pair
        if pair.key.open_to_all:
            log.warning("the private key %s is readable by all users of this machine: chmod o-r", pair.key.path)
        log.info("the admin API has a certificate", extra={"path": str(pair.certificate.path), "until": pair.until})


def _tried(certificate: PrivateFile, key: PrivateFile) -> str:
    """Test the pair by a handshake in memory; return its expiry time. Raises BadFile."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(server, certificate, key, TAKEN)
    try:
        seen = try_out(server, certificate)
    except Unfit as error:
        raise BadFile(certificate.path, str(error)) from None
    found = seen.getpeercert(binary_form=True) or b""
    for beginning, kind in _UNTAKEN.items():
        if beginning in found:
            raise BadFile(certificate.path, f"many gRPC clients, including ours, do not support {kind} keys; {TAKEN}")
    return str((seen.getpeercert() or {}).get("notAfter", ""))
