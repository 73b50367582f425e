"""Starts of `answerback serve` that fail: one clear message, exit 1, no traceback, no process left."""

import json
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.certifying import LONG_AGO, Authority
from tests.ports import free_port
from tests.system.conftest import ANSWERBACK

pytestmark = pytest.mark.long

HELLO = """\
listeners:
  - name: hello
    address: 127.0.0.1:PORT
    rules:
      - do: [send: "Hello, World!", close]
"""
# Takes from root what others have not, for tests may be root's: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and
# CAP_NET_BIND_SERVICE (capabilities(7)), by PR_CAPBSET_DROP (prctl(2)). For others it does nothing.
UNPRIVILEGED = """
import ctypes, os, sys
for capability in (1, 2, 10):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
FIRST_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")

Serve = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Run `answerback serve` to its end; it must not get far."""

    def run(config: str | None = HELLO, *args: str, under: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        given: tuple[str, ...] = ("--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1")
        if config is not None:
            file = tmp_path / "answerback.yaml"
            file.write_text(config.replace("PORT", "0"))
            given += ("--config", str(file))
        command = (*under, *ANSWERBACK, "serve", *given, *args)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd=tmp_path)

    return run


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that a process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def test_serve_with_listener_port_in_use_fails(serve: Serve, taken: int) -> None:
    result = serve(HELLO.replace("PORT", str(taken)))
    assert (result.returncode, result.stdout) == (1, "")
    problem, error = result.stderr.splitlines()
    assert problem.endswith(
        f"answerback.yaml:3:14: listeners[0].address: 127.0.0.1:{taken}: the port is in use; "
        "`ss -ltnp` shows the process"
    )
    assert error.endswith("answerback.yaml: 1 problem; the server did not start")


@pytest.mark.parametrize("what", ["admin", "metrics"])
def test_serve_with_admin_or_metrics_port_in_use_fails(serve: Serve, taken: int, what: str) -> None:
    result = serve(HELLO, f"--{what}", f"127.0.0.1:{taken}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Error: --{what} 127.0.0.1:{taken}: Address already in use\n"


def test_serve_on_privileged_port_without_rights_fails_with_advice(serve: Serve) -> None:
    if int(FIRST_UNPRIVILEGED.read_text()) <= 7:
        pytest.skip("there are no privileged ports here")
    result = serve(HELLO.replace("PORT", "7"), under=(sys.executable, "-c", UNPRIVILEGED))
    assert (result.returncode, result.stdout) == (1, "")
    assert "listeners[0].address: 127.0.0.1:7: a privileged port; choose one from " in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_serve_reports_all_unusable_addresses_together(serve: Serve, taken: int) -> None:
    text = HELLO.replace("PORT", str(taken)) + "  - {name: far, address: '192.0.2.1:8000'}\n"
    result = serve(text)
    assert result.returncode == 1
    assert "listeners[0].address: " in result.stderr
    assert "listeners[1].address: 192.0.2.1:8000: not an address of this machine" in result.stderr
    assert result.stderr.endswith("2 problems; the server did not start\n")


def test_serve_with_missing_configuration_file_fails(serve: Serve) -> None:
    result = serve(None, "--config", "none.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "Error: cannot read none.yaml: No such file or directory\n"


def test_serve_with_unreadable_configuration_file_fails(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text(HELLO)
    file.chmod(0)
    result = serve(None, "--config", "secret.yaml", under=(sys.executable, "-c", UNPRIVILEGED))
    assert (result.returncode, result.stderr) == (1, "Error: cannot read secret.yaml: Permission denied\n")


def test_serve_with_directory_as_configuration_file_fails(serve: Serve) -> None:
    result = serve(None, "--config", ".")
    assert (result.returncode, result.stderr) == (1, "Error: cannot read .: Is a directory\n")


BAD = """\
listeners:
  - name: hello
    name: again
    address: 127.0.0.1:7001
    rulez: []
  - name: other
    address: 127.0.0.1:7001
    limits: {max_connections: LIMIT}
    rules:
      - when: {regex: '(?=a)'}
        do: [echo]
"""


def test_serve_with_invalid_configuration_prints_every_problem(serve: Serve) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    result = serve(BAD.replace("LIMIT", str(limit + 1)))
    assert (result.returncode, result.stdout) == (1, "")
    *problems, error = result.stderr.splitlines()
    places = [problem.rpartition("answerback.yaml:")[2].partition(": ")[0::2] for problem in problems]
    assert sorted((place, text.partition(": ")[0]) for place, text in places) == [
        ("10:23", "listeners[1].rules[0].when.regex"),
        ("3:5", "listeners[0].name"),
        ("5:5", "listeners[0].rulez"),
        ("7:14", "listeners[1].address"),
        ("8:31", "listeners[1].limits.max_connections"),
    ]
    assert error.endswith("answerback.yaml: 5 problems; the server did not start")


def test_serve_with_invalid_yaml_fails_with_its_line(serve: Serve) -> None:
    result = serve("listeners: [\n")
    assert result.returncode == 1
    problem, error = result.stderr.splitlines()
    assert "answerback.yaml:2:1: " in problem
    assert error.endswith("answerback.yaml: 1 problem; the server did not start")


def test_serve_with_listener_on_the_metrics_port_fails(serve: Serve) -> None:
    port = free_port()
    result = serve(HELLO.replace("PORT", str(port)), "--metrics", f"127.0.0.1:{port}")
    assert result.returncode == 1
    assert "listeners[0].address: " in result.stderr
    assert "the metrics" in result.stderr


def test_serve_with_unguarded_remote_admin_api_fails(serve: Serve) -> None:
    result = serve(HELLO, "--admin", "0.0.0.0:0")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: --admin 0.0.0.0:0: the admin API would be reachable from other machines")
    assert "--admin-insecure" in result.stderr


def test_serve_reports_all_credential_problems_together(serve: Serve, tmp_path: Path) -> None:
    old, short = Authority(tmp_path).issue(not_after=LONG_AGO), tmp_path / "token"
    short.write_text("secret")
    hidden = tmp_path / "hidden"
    hidden.write_text("secret" * 10)
    hidden.chmod(0)
    options = ["--admin-cert", str(old.certificate), "--admin-key", str(old.key), "--token-file", str(short)]
    options += ["--read-token-file", str(hidden), "--admin", "0.0.0.0:0"]
    result = serve(HELLO, *options, under=(sys.executable, "-c", UNPRIVILEGED))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"Error: --token-file {short}: the token has 6 bytes, fewer than 32; `openssl rand -hex 32` makes one",
        f"--read-token-file {hidden}: Permission denied",
        f"TLS of the admin API: {old.certificate}: certificate has expired",
    ]


def test_serve_with_json_log_format_reports_start_failures_as_json(serve: Serve, taken: int) -> None:
    result = serve(HELLO.replace("rules:", "rulez:"), "--log-format", "json")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = map(json.loads, result.stderr.splitlines())
    assert (line["level"], line["path"], line["line"], line["column"]) == ("ERROR", "listeners[0].rulez", 4, 5)
    result = serve(HELLO, "--log-format", "json", "--admin", f"127.0.0.1:{taken}")
    (line,) = map(json.loads, result.stderr.splitlines())
    assert line["message"] == f"--admin 127.0.0.1:{taken}: Address already in use"


def test_serve_that_fails_leaves_no_worker_running(serve: Serve, taken: int) -> None:
    marker = "ANSWERBACK_TEST_MARKER"
    os.environ[marker] = name = f"{os.getpid()}-{taken}"
    try:
        assert serve(HELLO.replace("PORT", str(taken))).returncode == 1
    finally:
        del os.environ[marker]
    needle = f"{marker}={name}".encode()
    alive = [path for path in Path("/proc").glob("[0-9]*/environ") if needle in environ_of(path)]
    assert alive == []


def environ_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


# ── Too little of something ─────────────────────────────────────────────────────────────────────────────────────────
STRANGER = 54321  # a user who has no process
READ_ONLY = "-all,+dac_read_search"  # the interpreter may be installed where only root looks
AS_STRANGER = (
    *("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"),
    *(f"--inh-caps={READ_ONLY}", f"--ambient-caps={READ_ONLY}", f"--bounding-set={READ_ONLY}"),
)
NO_THREAD = "Error: cannot start: no thread can be started; raise RLIMIT_NPROC (`ulimit -u`), RLIMIT_AS (`ulimit -v`), "


@pytest.mark.parametrize("limit", [8, 16, 67])
def test_serve_with_too_few_descriptors_fails(serve: Serve, limit: int) -> None:
    result = serve(HELLO, under=("prlimit", f"--nofile={limit}"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: cannot start: RLIMIT_NOFILE is {limit}, and 68 are needed; raise it (`ulimit -n`)\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
@pytest.mark.parametrize("limit", [1, 16])
def test_serve_with_too_few_processes_fails(serve: Serve, limit: int) -> None:
    result = serve(HELLO, under=(*AS_STRANGER, "prlimit", f"--nproc={limit}"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(NO_THREAD)
    assert result.stderr.count("\n") == 1


def test_serve_without_room_for_shared_memory_fails_with_advice(serve: Serve) -> None:
    result = serve(HELLO, under=("prlimit", "--fsize=1000000"))
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(
        r"Error: cannot start: no room for the \d+ MiB of address space that all processes share for counters: "
        r"RLIMIT_FSIZE is 1000000; raise it \(`ulimit -f`\)\n",
        result.stderr,
    )


@pytest.mark.parametrize("mebibytes", [250, 350])
def test_serve_with_too_little_address_space_fails_with_advice(serve: Serve, mebibytes: int) -> None:
    result = serve(HELLO, under=("prlimit", f"--as={mebibytes << 20}"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: cannot start: ")
    assert "RLIMIT_AS (`ulimit -v`)" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("size", [0, 1, 511])
def test_serve_with_truncated_history_database_fails(serve: Serve, tmp_path: Path, size: int) -> None:
    state = tmp_path / "state"
    state.mkdir()
    database = state / "revisions.sqlite3"
    database.write_bytes((b"SQLite format 3\0" + bytes(512))[:size])
    result = serve(HELLO, "--state", str(state))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: --state {state}: revisions.sqlite3 is damaged: it has {size} byte{'s' * (size != 1)}; "
        "restore a backup, or move it away to start a new history\n"
    )
    assert database.stat().st_size == size
