"""Certificates of the admin API: they are checked before they are used."""

import logging
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID
from grpc import aio

from answerback.control.certificates import TAKEN, CertificateFiles, Certificates, load
from answerback.tls.pairs import ENCRYPTED
from answerback.tls.private_files import BadFile
from tests.certifying import FAR_OFF, LONG_AGO, Authority, Issued, become
from tests.descriptors import descriptors


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue()


def files(issued: Issued, client_ca: Path | None = None) -> CertificateFiles:
    return CertificateFiles(issued.certificate, issued.key, client_ca)


def why(given: CertificateFiles) -> str:
    with pytest.raises(BadFile) as caught:
        load(given)
    return str(caught.value)


def test_valid_certificate_and_key_are_loaded(authority: Authority, issued: Issued) -> None:
    pair = load(files(issued, authority.certificate))
    assert pair.certificate.content == issued.certificate.read_bytes()
    assert pair.until == "Jan  1 00:00:00 3000 GMT"
    assert "PRIVATE KEY" not in repr(pair)


@pytest.mark.parametrize(
    "given, reason",
    [({"not_after": LONG_AGO}, "certificate has expired"), ({"not_before": FAR_OFF}, "certificate is not yet valid")],
)
def test_certificate_outside_its_validity_is_rejected(authority: Authority, given: dict[str, Any], reason: str) -> None:
    issued = authority.issue(**given)
    assert why(files(issued)) == f"{issued.certificate}: {reason}"


def test_certificate_with_the_key_of_another_is_rejected(authority: Authority, issued: Issued) -> None:
    other = authority.issue("other")
    assert (
        why(CertificateFiles(issued.certificate, other.key))
        == f"{other.key}: does not belong to the first certificate in {issued.certificate}"
    )


@pytest.mark.parametrize("content", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_key_file_without_pem_key_is_rejected(issued: Issued, content: str) -> None:
    issued.key.write_text(content)
    assert why(files(issued)) == f"{issued.key}: contains no PEM private key without a passphrase"


def test_key_with_passphrase_is_rejected_without_a_prompt(issued: Issued) -> None:
    key: Any = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    issued.key.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"secret")))
    assert why(files(issued)) == f"{issued.key}: {ENCRYPTED}"


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_certificate_file_without_pem_certificate_is_rejected(
    authority: Authority, issued: Issued, content: bytes
) -> None:
    for spoilt in (issued.certificate, authority.certificate):
        before = spoilt.read_bytes()
        spoilt.write_bytes(content)
        assert why(files(issued, authority.certificate)) == f"{spoilt}: contains no PEM certificate"
        spoilt.write_bytes(before)


@pytest.mark.parametrize("which", ["certificate", "key", "client_ca"])
def test_missing_certificate_or_key_file_is_rejected(authority: Authority, issued: Issued, which: str) -> None:
    given = files(issued, authority.certificate)
    path: Path = getattr(given, which)
    path.unlink()
    assert why(given) == f"{path}: No such file or directory"


def self_signed(folder: Path, key: Any) -> CertificateFiles:
    """A certificate of some key, by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), LONG_AGO, FAR_OFF)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, digest)
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    given = CertificateFiles(folder / "own.crt", folder / "own.key")
    given.certificate.write_bytes(certificate.public_bytes(pem))
    given.key.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    given.key.chmod(0o600)
    return given


UNTAKEN = f"many gRPC clients, including ours, do not support {{}} keys; {TAKEN}"
KEYS: dict[str, tuple[Callable[[], Any], str]] = {
    "RSA 2048": (lambda: rsa.generate_private_key(65537, 2048), ""),
    "P-256": (lambda: ec.generate_private_key(ec.SECP256R1()), ""),
    "P-384": (lambda: ec.generate_private_key(ec.SECP384R1()), ""),
    "RSA 1024": (lambda: rsa.generate_private_key(65537, 1024), f"its key is too weak; {TAKEN}"),
    "P-521": (
        lambda: ec.generate_private_key(ec.SECP521R1()),
        UNTAKEN.format("P-521"),
    ),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate, UNTAKEN.format("Ed25519")),
    "Ed448": (ed448.Ed448PrivateKey.generate, UNTAKEN.format("Ed448")),
    "secp256k1": (lambda: ec.generate_private_key(ec.SECP256K1()), "TLS handshakes fail with it: NO_SHARED_CIPHER"),
}


@pytest.mark.parametrize("kind", KEYS)
async def test_certificate_of_each_key_kind_is_served_or_rejected(kind: str, tmp_path: Path) -> None:
    make, reason = KEYS[kind]
    given = self_signed(tmp_path, make())
    if reason:
        assert why(given) == f"{given.certificate}: {reason}"
        return
    server = aio.server()
    port = server.add_secure_port("127.0.0.1:0", Certificates(given).credentials())
    await server.start()
    trust = grpc.ssl_channel_credentials(given.certificate.read_bytes())
    async with aio.secure_channel(f"127.0.0.1:{port}", trust) as channel:
        call: Any = channel.unary_unary("/no.Service/Method")
        with pytest.raises(aio.AioRpcError, match="UNIMPLEMENTED"):
            await call(b"")
    await server.stop(None)


Fetch = Callable[[Certificates], Any]


@pytest.fixture
def fetch() -> Fetch:
    """What gRPC asks for at every handshake."""
    return Certificates._changed


def test_certificate_is_reloaded_only_when_its_file_changed(
    authority: Authority, issued: Issued, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    certificates = Certificates(files(issued))
    assert fetch(certificates) is None
    become(issued, authority.issue("next"))
    assert fetch(certificates) is not None
    assert fetch(certificates) is None
    assert [record.message for record in caplog.records] == ["the admin API has a certificate"] * 2


def test_certificate_without_its_new_key_is_not_used_until_the_key_follows(
    authority: Authority, issued: Issued, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(files(issued))
    following = authority.issue("next")
    issued.certificate.write_bytes(following.certificate.read_bytes())
    assert [fetch(certificates) for _ in range(3)] == [None] * 3
    why = f"{issued.key}: does not belong to the first certificate in {issued.certificate}"
    assert [record.message for record in caplog.records] == [f"the certificate before is still used: {why}"]
    issued.key.write_bytes(following.key.read_bytes())
    assert fetch(certificates) is not None


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("")])
def test_invalid_new_certificate_leaves_the_former_active(
    authority: Authority, issued: Issued, fetch: Fetch, spoil: Callable[[Path], Any]
) -> None:
    certificates = Certificates(files(issued, authority.certificate))
    for path in (issued.certificate, issued.key, authority.certificate):
        before = path.read_bytes()
        spoil(path)
        assert fetch(certificates) is None
        path.write_bytes(before)
    assert fetch(certificates) is None


@pytest.mark.parametrize("mode, warned", [(0o600, False), (0o640, False), (0o644, True)])
def test_key_file_open_to_all_is_warned_of(
    issued: Issued, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    issued.key.chmod(mode)
    Certificates(files(issued))
    expected = [f"the private key {issued.key} is readable by all users of this machine: chmod o-r"] * warned
    assert [record.message for record in caplog.records] == expected


def test_loading_certificates_leaves_no_descriptor_open(issued: Issued) -> None:
    load(files(issued))
    before = descriptors()
    for _ in range(5):
        load(files(issued))
    assert descriptors() <= before
