"""`answerback certificates`: each certificate has the fault that its name says, and no other."""

import json
import ssl
import stat
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.x509 import load_pem_x509_certificate

from answerback.cli import main

GOOD = {"localhost", "localhost-rsa"}
# X509_V_ERR_… of OpenSSL's x509_vfy.h
BAD = {
    "expired": 10,
    "not-yet-valid": 9,
    "wrong-name": 62,
    "self-signed": 18,
    "unknown-ca": 20,
    "weak-key": 66,
    "broken-chain": 20,
}
AUTHORITIES = {"ca", "intermediate"}
EVERYTHING = GOOD | set(BAD) | AUTHORITIES | {"client"}
LOCAL = ("localhost", "127.0.0.1", "::1")


def make(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(main, ["certificates", str(folder), *args])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all certificates, for one more name."""
    folder = tmp_path_factory.mktemp("certificates") / "tls"
    result = make(folder, "--name", "redis.test")
    assert (result.exit_code, result.stderr.splitlines()[1:]) == (0, [])
    return folder


@dataclass
class Peers:
    """A server and a client that shake hands in memory."""

    folder: Path
    certificate: str
    chain: Path | None = None
    server: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    client: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def __post_init__(self) -> None:
        self.server.set_ciphers("DEFAULT@SECLEVEL=0")  # as a server has to that serves a weak key
        self.server.load_cert_chain(self.chain or self.file(".crt"), self.file(".key"))
        self.client.set_ciphers("DEFAULT@SECLEVEL=2")
        self.client.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python has it since 3.13
        self.client.load_verify_locations(self.folder / "ca.crt")

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.certificate}{suffix}"

    def trust_it(self) -> None:
        """Trust the certificate of the server itself, without its signer."""
        self.client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self.client.load_verify_locations(self.file(".crt"))

    def shake_hands(self, name: str = "localhost") -> ssl.SSLObject:
        """The server's end. Raises SSLError."""
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.client.wrap_bio(to_client, to_server, server_hostname=name)
        server = self.server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for end in (client, server):
                with suppress(ssl.SSLWantReadError):
                    end.do_handshake()
        return server


def errors(folder: Path) -> Mapping[str, str]:
    """The errors that the command promises, by certificate."""
    listed = json.loads(make(folder, "--force", "-o", "json").stdout)["certificates"]
    return {each["name"]: each["error"] for each in listed}


@pytest.mark.parametrize("certificate", sorted(GOOD))
@pytest.mark.parametrize("name", [*LOCAL, "redis.test"])
def test_good_certificate_is_accepted_for_each_name(folder: Path, certificate: str, name: str) -> None:
    Peers(folder, certificate).shake_hands(name)


@pytest.mark.parametrize("certificate", BAD)
def test_bad_certificate_has_the_error_of_its_kind(folder: Path, certificate: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as raised:
        Peers(folder, certificate).shake_hands()
    assert raised.value.verify_code == BAD[certificate]


def test_errors_that_the_command_names_are_those_of_the_client(tmp_path: Path) -> None:
    promised = errors(tmp_path)
    assert {name for name, error in promised.items() if error} == set(BAD)
    for certificate in BAD:
        with pytest.raises(ssl.SSLCertVerificationError) as raised:
            Peers(tmp_path, certificate).shake_hands()
        assert promised[certificate].lower() in raised.value.verify_message.lower()


@pytest.mark.parametrize(
    "certificate, name", [("wrong-name", "wrong.example"), ("self-signed", None), ("unknown-ca", None)]
)
def test_bad_certificate_is_good_but_for_its_name_or_signer(folder: Path, certificate: str, name: str | None) -> None:
    peers = Peers(folder, certificate)
    if name is None:
        peers.trust_it()
    peers.shake_hands(name or "localhost")


def test_weak_key_is_good_where_weak_keys_are_allowed(folder: Path) -> None:
    peers = Peers(folder, "weak-key")
    peers.client.set_ciphers("DEFAULT@SECLEVEL=0")
    peers.shake_hands()


def test_broken_chain_is_good_with_the_intermediate_certificate(folder: Path, tmp_path: Path) -> None:
    chain = tmp_path / "chain.crt"
    chain.write_bytes((folder / "broken-chain.crt").read_bytes() + (folder / "intermediate.crt").read_bytes())
    Peers(folder, "broken-chain", chain).shake_hands()


@pytest.mark.parametrize("certificate, accepted", [("client", True), ("localhost", False)])
def test_client_certificate_is_accepted_from_a_client_only(folder: Path, certificate: str, accepted: bool) -> None:
    peers = Peers(folder, "localhost")
    peers.server.verify_mode = ssl.CERT_REQUIRED
    peers.server.load_verify_locations(folder / "ca.crt")
    peers.client.load_cert_chain(folder / f"{certificate}.crt", folder / f"{certificate}.key")
    if accepted:
        seen = peers.shake_hands().getpeercert()
        assert seen
        assert seen["subject"] == ((("commonName", "client"),),)
    else:
        with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
            peers.shake_hands()
    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        Peers(folder, "client").shake_hands("client")


def test_files_are_a_certificate_and_a_private_key_for_each_name(folder: Path) -> None:
    keys = {f"{name}.key" for name in EVERYTHING - AUTHORITIES}
    assert {path.name for path in folder.iterdir()} == {f"{name}.crt" for name in EVERYTHING} | keys
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in keys} == {0o600}
    for path in folder.glob("*.crt"):
        assert path.read_text().count("PRIVATE KEY") == 0
        assert path.read_text().count("BEGIN CERTIFICATE") == 1


def not_after(certificate: Path) -> datetime:
    return load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


@pytest.mark.parametrize("args, days", [((), 7), (("--days", "1"), 1), (("--days", "3650"), 3650)])
def test_certificates_expire_after_the_days_that_are_given(tmp_path: Path, args: tuple[str, ...], days: int) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    result = make(tmp_path, *args)
    expected = timedelta(days=days)
    for name in ("ca", "localhost", "intermediate"):
        assert before + expected <= not_after(tmp_path / f"{name}.crt") <= datetime.now(UTC) + expected
    assert not_after(tmp_path / "expired.crt") < before
    assert result.stderr.startswith(f"valid for {days} day{'s' * (days > 1)}, until 20")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_existing_files_are_replaced_only_with_force(tmp_path: Path) -> None:
    make(tmp_path)
    before = content(tmp_path)
    (tmp_path / "localhost.key").chmod(0o644)
    again = make(tmp_path)
    assert (again.exit_code, again.stdout, content(tmp_path)) == (1, "", before)
    assert f"{tmp_path}/ca.crt and {len(before) - 1} more would be replaced: write --force" in again.stderr
    assert make(tmp_path, "--force").exit_code == 0
    after = content(tmp_path)
    assert set(after) == set(before)
    assert [name for name in after if after[name] == before[name]] == []
    assert stat.S_IMODE((tmp_path / "localhost.key").stat().st_mode) == 0o600


def test_other_file_of_one_name_prevents_that_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "weak-key.key").write_text("mine")
    result = make(tmp_path)
    assert (result.exit_code, content(tmp_path)) == (1, {"weak-key.key": b"mine"})
    assert f"{tmp_path}/weak-key.key would be replaced" in result.stderr


def test_link_in_place_of_a_key_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    folder = tmp_path / "tls"
    folder.mkdir()
    (folder / "localhost.key").symlink_to(target)
    assert make(folder).exit_code == 1
    assert make(folder, "--force").exit_code == 0
    assert target.read_text() == "mine"
    assert not (folder / "localhost.key").is_symlink()


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = make(tmp_path / "file" / "tls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: cannot write {tmp_path}/file/tls: Not a directory\n"


@pytest.mark.parametrize(
    "args",
    [
        ("--days", "0"),
        ("--days", "3651"),
        *(("--name", name) for name in ("a b", "-a", "a..b", "", "*.test", "a.*.test", "a" * 254, "192.0.2.0/24")),
    ],
)
def test_invalid_option_exits_with_2_and_writes_nothing(tmp_path: Path, args: tuple[str, ...]) -> None:
    assert make(tmp_path / "tls", *args).exit_code == 2
    assert not (tmp_path / "tls").exists()


def test_names_of_a_certificate_are_host_names_wildcards_and_addresses(tmp_path: Path) -> None:
    make(tmp_path, "--name", "*.redis.test", "--name", "192.0.2.7", "--name", "localhost")
    for name in (*LOCAL, "one.redis.test", "192.0.2.7"):
        Peers(tmp_path, "localhost").shake_hands(name)
    for other in ("redis.test", "192.0.2.8"):
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            Peers(tmp_path, "localhost").shake_hands(other)


def test_table_says_what_each_certificate_is(tmp_path: Path) -> None:
    heading, *rows = make(tmp_path).stdout.splitlines()
    assert heading.split("  ")[0] == "CERTIFICATE"
    assert {row.split()[0] for row in rows} == {f"{name}.crt" for name in EVERYTHING}
    assert "certificate has expired" in next(row for row in rows if row.startswith("expired.crt "))


def test_json_output_has_the_paths_and_the_expiry_time(tmp_path: Path) -> None:
    data = json.loads(make(tmp_path, "-o", "json").stdout)
    assert (data["directory"], len(data["certificates"])) == (str(tmp_path), len(EVERYTHING))
    assert datetime.fromisoformat(data["valid_until"]) == not_after(tmp_path / "localhost.crt")
    for each in data["certificates"]:
        assert Path(each["certificate"]).is_file()
        assert (each["key"] is None) == (each["name"] in AUTHORITIES)


def test_missing_cryptography_is_reported_with_the_pip_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "answerback.cli.issuing", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    result = make(tmp_path / "tls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: making certificates needs the package cryptography: pip install 'answerback[certificates]'\n"
    )
    assert not (tmp_path / "tls").exists()


def test_help_of_the_command_does_not_load_cryptography() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from answerback.cli import main;"
        "assert CliRunner().invoke(main, ['certificates', '--help']).exit_code == 0;"
        "assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
