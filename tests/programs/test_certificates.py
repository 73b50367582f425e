"""`answerback certificates` against OpenSSL's own programs: each certificate gets the error that the command names."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from answerback.cli import main

pytestmark = [pytest.mark.programs]

GOOD = ("localhost", "localhost-rsa")
BAD = ("expired", "not-yet-valid", "wrong-name", "self-signed", "unknown-ca", "weak-key", "broken-chain")
ERROR = re.compile(r"(?:verify error:num=|error )(\d+)(?:[: ])(?:at 0 depth lookup: )?(.*)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def promised(folder: Path) -> dict[str, str]:
    """The error of each certificate, as the command says."""
    result = CliRunner().invoke(main, ["certificates", str(folder), "-o", "json"])
    assert result.exit_code == 0
    return {each["name"]: each["error"] for each in json.loads(result.stdout)["certificates"]}


def openssl(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, text=True, check=False, timeout=30)


def verify(folder: Path, certificate: str, *args: str, name: str = "localhost") -> subprocess.CompletedProcess[str]:
    options = ("-x509_strict", "-purpose", "sslserver", "-auth_level", "2", "-verify_hostname", name, *args)
    return openssl("verify", "-CAfile", str(folder / "ca.crt"), *options, str(folder / f"{certificate}.crt"))


@pytest.mark.parametrize("certificate", [*GOOD, *BAD])
def test_openssl_verify_reports_the_promised_error(folder: Path, promised: dict[str, str], certificate: str) -> None:
    result = verify(folder, certificate)
    found = [text.lower() for _, text in ERROR.findall(result.stderr)]
    assert found == [promised[certificate].lower()] * (certificate in BAD)
    assert (result.returncode == 0) == (certificate in GOOD)


@pytest.mark.parametrize(
    "certificate, args",
    [
        ("expired", ("-no_check_time",)),
        ("not-yet-valid", ("-no_check_time",)),
        ("weak-key", ("-auth_level", "1")),
        ("broken-chain", ("-untrusted", "intermediate.crt")),
    ],
)
def test_certificate_is_good_but_for_its_one_fault(
    folder: Path, promised: dict[str, str], certificate: str, args: Sequence[str]
) -> None:
    assert promised[certificate]
    args = [str(folder / arg) if arg.endswith(".crt") else arg for arg in args]
    result = verify(folder, certificate, *args)
    assert result.returncode == 0, result.stderr


@contextmanager
def serving(folder: Path, certificate: str) -> Iterator[str]:
    """The address of an `openssl s_server` that has the certificate."""
    own = ("-cert", str(folder / f"{certificate}.crt"), "-key", str(folder / f"{certificate}.key"))
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", *own, "-cipher", "DEFAULT@SECLEVEL=0", "-naccept", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield next(line.split()[1] for line in server.stdout if line.startswith("ACCEPT "))
        finally:
            server.kill()


@pytest.mark.parametrize("certificate", [*GOOD, *BAD])
def test_s_client_of_a_server_with_it_reports_the_promised_error(
    folder: Path, promised: dict[str, str], certificate: str
) -> None:
    trust = ("-CAfile", str(folder / "ca.crt"), "-verify_hostname", "localhost", "-verify_return_error")
    options = (*trust, "-cipher", "DEFAULT@SECLEVEL=2", "-brief")
    with serving(folder, certificate) as address:
        result = openssl("s_client", "-connect", address, *options, stdin="Q\n")
    found = [text.lower() for _, text in ERROR.findall(result.stderr)]
    assert found == [promised[certificate].lower()] * (certificate in BAD)
    assert ("Verification: OK" in result.stderr) == (certificate in GOOD)
