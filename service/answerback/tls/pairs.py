"""Certificates and keys are loaded from bytes, and tested."""

# Rule: keys are never logged, shown, or part of an error message, and are never written to a disk.

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from answerback.tls.private_files import BadFile, PrivateFile

_STEPS: Final = 8  # max. rounds of a handshake in memory; TLS 1.3 takes three
ENCRYPTED: Final = "is encrypted; write it without its passphrase: `openssl pkey -in OLD -out NEW`"
_WEAK: Final = {"EE_KEY_TOO_SMALL": "key", "CA_KEY_TOO_SMALL": "authority's key", "CA_MD_TOO_WEAK": "signature"}


def trust(context: ssl.SSLContext, file: PrivateFile) -> None:
    """Trust the certificates in a file. Raises BadFile."""
    try:
        context.load_verify_locations(cadata=file.content.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise BadFile(file.path, "contains no PEM certificate") from None


def load_pair(
    context: ssl.SSLContext, certificate: PrivateFile, key: PrivateFile, instead: str = "use stronger ones"
) -> None:
    """Load a certificate and its key. Raises BadFile; `instead`: what to do about weak ones."""
    trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate)  # the problem is not in the key
    with ExitStack() as stack:
        chain, own = (stack.enter_context(_path_of(file.content)) for file in (certificate, key))
        try:
            context.load_cert_chain(chain, own, password=_no_passphrase)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                why = f"does not belong to the first certificate in {certificate.path}"
                raise BadFile(key.path, why) from None
            if b"ENCRYPTED" in key.content:
                raise BadFile(key.path, ENCRYPTED) from None
            if error.reason in _WEAK:
                raise BadFile(certificate.path, f"its {_WEAK[error.reason]} is too weak; {instead}") from None
            raise BadFile(key.path, "contains no PEM private key without a passphrase") from None


class Unfit(Exception):
    """Clients that verify the certificate reject it; the text has OpenSSL's reason."""


def try_out(server: ssl.SSLContext, certificate: PrivateFile) -> ssl.SSLObject:
    """Make a handshake in memory with a server that has a certificate; return the client's end.

    The standard library shows a certificate only after verification; so the test client trusts this very certificate
    (X509_V_FLAG_PARTIAL_CHAIN), which leaves its time and purpose to be verified. Raises BadFile, Unfit.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trust(client, certificate)
    try:
        return _handshake(server, client)
    except ssl.SSLCertVerificationError as error:
        raise Unfit(error.verify_message) from None
    except ssl.SSLError as error:
        raise BadFile(certificate.path, f"TLS handshakes fail with it: {error.reason}") from None


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Return the client's end of a completed handshake. Raises SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asked = client.wrap_bio(to_client, to_server)
    ends = [asked, server.wrap_bio(to_server, to_client, server_side=True)]
    for step in range(_STEPS):
        with suppress(ssl.SSLWantReadError):
            ends[step % 2].do_handshake()
    return asked


def private(path: Path, content: bytes) -> PrivateFile:
    """A file whose content has come another way."""
    return PrivateFile(path, content, open_to_all=False)


def _no_passphrase() -> str:
    """Prevents OpenSSL from asking on the terminal."""
    return ""


@contextmanager
def _path_of(content: bytes) -> Iterator[str]:
    """Yield a path with exactly these bytes, in memory, whatever happens to the original file."""
    descriptor = os.memfd_create("answerback-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
