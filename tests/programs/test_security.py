"""docs/security.md as a test: its commands create the files, start the server and get access; others do not."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.programs.conftest import running
from tests.waiting import eventually

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
Run = Callable[[str], "subprocess.CompletedProcess[str]"]


def command_of(beginning: str) -> str:
    """The one command of the page that begins so, its lines joined."""
    (found,) = re.findall(rf"^    ({re.escape(beginning)}.*(?:\n      .*)*)", PAGE, re.MULTILINE)
    return re.sub(r"\s*\\?\n\s*", " ", str(found))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a line in the folder of the files, as a shell would."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def shell(line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-euc", line],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return shell


@pytest.fixture
def admin(run: Run, tmp_path: Path) -> Iterator[str]:
    """The admin address of the server that the page describes."""
    (made,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    done = run(made)
    assert done.returncode == 0, done.stderr
    config = tmp_path / "answerback.yaml"
    config.write_text("listeners: [{name: hello, address: '127.0.0.1:0', rules: [{do: [echo]}]}]")
    port, metrics = free_port(), f"127.0.0.1:{free_port()}"
    line = command_of("answerback serve").replace(":50051", f":{port}")
    command = ["env", "-C", str(tmp_path), str(Path(sys.executable).with_name("answerback")), *shlex.split(line)[1:]]
    command += ["--config", str(config), "--metrics", metrics, "--workers", "1"]
    with running(command, tmp_path / "answerback.log"):
        eventually(lambda: run(f"answerback health --metrics {metrics}").returncode == 0, what="it is ready")
        yield f"127.0.0.1:{port}"


def test_security_page_commands_are_accepted(run: Run, admin: str) -> None:
    for beginning in ("answerback status", "grpcurl"):
        line = command_of(beginning).replace("answerback.example:50051", admin)
        done = run(line.replace("-import-path proto", f"-import-path {ROOT / 'proto'}"))
        assert done.returncode == 0, done.stderr
        assert "hello" in done.stdout


REFUSED = {
    "-plaintext": "Failed to dial",
    '-H "authorization: Bearer $(cat token)"': "Failed to dial",
    "-cacert ca.crt": "Unauthenticated",
    "-cacert ca.crt -H 'authorization: Bearer 0123456789abcdef0123456789abcdef'": "Unauthenticated",
    '-cacert ca.crt -H "authorization: Bearer $(cat read-token)"': "PermissionDenied",
}


def test_grpcurl_without_the_required_credential_is_rejected(run: Run, admin: str) -> None:
    protos = f"-max-time 10 -import-path {ROOT / 'proto'} -proto answerback/v1/config_service.proto"
    call = f"-d '{{\"config\": {{}}}}' {admin} answerback.v1.ConfigService/UpdateConfig"
    for given, said in REFUSED.items():
        done = run(f"grpcurl {protos} {given} {call}")
        assert done.returncode != 0, given
        assert said in done.stderr, (given, done.stderr)


def test_reflection_is_off_in_the_security_guide(run: Run, admin: str) -> None:
    done = run(f'grpcurl -cacert ca.crt -H "authorization: Bearer $(cat token)" {admin} list')
    assert "does not support the reflection API" in done.stderr
