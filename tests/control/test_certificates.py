"""Certificates of the admin API: tried before they are taken."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from answerback.control.certificates import CertificateFiles, Certificates, load
from answerback.control.private_files import BadFile
from tests.certifying import FAR_OFF, LONG_AGO, Authority, Issued, become


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


def test_what_serves_is_taken(authority: Authority, issued: Issued) -> None:
    pair = load(files(issued, authority.certificate))
    assert pair.certificate.content == issued.certificate.read_bytes()
    assert pair.until == "Jan  1 00:00:00 3000 GMT"
    assert "PRIVATE KEY" not in repr(pair)


@pytest.mark.parametrize(
    "given, reason",
    [({"not_after": LONG_AGO}, "certificate has expired"), ({"not_before": FAR_OFF}, "certificate is not yet valid")],
)
def test_its_time_is_not_now(authority: Authority, given: dict[str, Any], reason: str) -> None:
    issued = authority.issue(**given)
    assert why(files(issued)) == f"{issued.certificate}: {reason}"


def test_the_key_of_another(authority: Authority, issued: Issued) -> None:
    other = authority.issue("other")
    assert (
        why(CertificateFiles(issued.certificate, other.key)) == f"{other.key}: is not the key of {issued.certificate}"
    )


@pytest.mark.parametrize("content", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key(issued: Issued, content: str) -> None:
    issued.key.write_text(content)
    assert why(files(issued)) == f"{issued.key}: holds no private key in PEM without a passphrase"


def test_a_key_with_a_passphrase_asks_nobody_for_it(issued: Issued) -> None:
    key: Any = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    issued.key.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"secret")))
    assert why(files(issued)) == f"{issued.key}: holds no private key in PEM without a passphrase"


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate(authority: Authority, issued: Issued, content: bytes) -> None:
    for spoilt in (issued.certificate, authority.certificate):
        before = spoilt.read_bytes()
        spoilt.write_bytes(content)
        assert why(files(issued, authority.certificate)) == f"{spoilt}: holds no certificate in PEM"
        spoilt.write_bytes(before)


@pytest.mark.parametrize("which", ["certificate", "key", "client_ca"])
def test_what_is_missing(authority: Authority, issued: Issued, which: str) -> None:
    given = files(issued, authority.certificate)
    path: Path = getattr(given, which)
    path.unlink()
    assert why(given) == f"{path}: No such file or directory"


Fetch = Callable[[Certificates], Any]


@pytest.fixture
def fetch() -> Fetch:
    """What gRPC asks for at every handshake."""
    return Certificates._changed


def test_it_is_loaded_anew_when_it_has_changed_and_not_else(
    authority: Authority, issued: Issued, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    certificates = Certificates(files(issued))
    assert fetch(certificates) is None
    become(issued, authority.issue("next"))
    assert fetch(certificates) is not None
    assert fetch(certificates) is None
    assert [record.message for record in caplog.records] == ["the admin API has a certificate"] * 2


def test_a_half_written_pair_waits_for_its_other_half(
    authority: Authority, issued: Issued, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(files(issued))
    following = authority.issue("next")
    issued.certificate.write_bytes(following.certificate.read_bytes())
    assert [fetch(certificates) for _ in range(3)] == [None] * 3
    assert [record.message for record in caplog.records] == [
        f"the certificate before stays in force: {issued.key}: is not the key of {issued.certificate}"
    ]
    issued.key.write_bytes(following.key.read_bytes())
    assert fetch(certificates) is not None


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("")])
def test_what_cannot_serve_leaves_the_former(
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
def test_a_key_that_everybody_can_read_is_warned_of(
    issued: Issued, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    issued.key.chmod(mode)
    Certificates(files(issued))
    expected = [f"everybody on this machine can read {issued.key}, which is a private key: chmod o-r"] * warned
    assert [record.message for record in caplog.records] == expected


def test_nothing_is_left_open(issued: Issued) -> None:
    load(files(issued))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        load(files(issued))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
