"""`answerback proxy`."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from click.testing import CliRunner

from answerback.cli import main
from answerback.cli.proxy import configuration
from answerback.document.document import load
from answerback.language.check import check
from tests.certifying import Authority
from tests.one_by_one import echo, one_by_one
from tests.ports import free_port
from tests.waiting import eventually

NOTHING = {
    "latency": None,
    "bandwidth": None,
    "size": None,
    "reset_after": None,
    "close_after": None,
    "direction": "to-peer",
    "connect_timeout": 5.0,
    "tls_cert": None,
    "tls_key": None,
    "upstream_tls": False,
    "upstream_ca": None,
    "upstream_name": None,
    "upstream_cert": None,
    "upstream_key": None,
    "upstream_insecure": False,
}


@pytest.fixture
def upstream() -> Iterator[int]:
    """An echo for one client after another; its port."""
    with one_by_one(echo, free_port()) as port:
        yield port


@contextmanager
def proxying(upstream: int, *words: str) -> Iterator[int]:
    """A running `answerback proxy`: the port where it listens. It ends in order."""
    port = free_port()
    command = [sys.executable, "-m", "answerback.cli", "proxy", f"127.0.0.1:{port}", f"localhost:{upstream}"]
    command += ["--workers", "1", "--admin", "127.0.0.1:0", "--metrics", "off", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: socket.create_connection(("127.0.0.1", port), 20), within=100.0).close()
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def hear_all(client: socket.socket) -> None:
    while client.recv(10):
        pass


def test_proxy_passes_bytes_on_with_the_latency_given(upstream: int) -> None:
    with proxying(upstream, "--latency", "300ms") as port, socket.create_connection(("127.0.0.1", port), 20) as client:
        began = monotonic()
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        assert monotonic() - began >= 0.3


def test_proxy_resets_after_the_number_of_bytes_given(upstream: int) -> None:
    with proxying(upstream, "--reset-after", "3") as port, socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            hear_all(client)


@pytest.mark.parametrize(
    "given, faults",
    [
        ({}, None),
        ({"latency": 0.1}, [{"direction": "TO_PEER", "latency": "0.100000000s"}]),
        (
            {"bandwidth": 5, "size": 7, "direction": "both"},
            [
                {"direction": "TO_PEER", "bandwidth": {"bytes_per_second": 5}},
                {"direction": "TO_PEER", "slice": {"size": 7}},
                {"direction": "FROM_PEER", "bandwidth": {"bytes_per_second": 5}},
                {"direction": "FROM_PEER", "slice": {"size": 7}},
            ],
        ),
        (
            {"close_after": 9, "direction": "from-peer"},
            [{"direction": "FROM_PEER", "target": "CONNECTION", "truncate": {"bytes": 9, "reset": False}}],
        ),
        (
            {"reset_after": 0},
            [{"direction": "TO_PEER", "target": "CONNECTION", "truncate": {"bytes": 0, "reset": True}}],
        ),
    ],
)
def test_options_become_a_valid_configuration(given: dict[str, object], faults: object) -> None:
    text = configuration("127.0.0.1:1", "a:2", NOTHING | given)
    assert json.loads(text)["listeners"][0].get("faults") == faults
    document = load(text)
    assert document.problems == ()
    assert check(document.config, {}) == []


@pytest.mark.parametrize(
    "given, tls, upstream_tls",
    [
        ({"tls_cert": "/a.crt", "tls_key": "/a.key"}, {"cert": "/a.crt", "key": "/a.key"}, None),
        ({"upstream_tls": True}, None, {}),
        ({"upstream_ca": "/ca"}, None, {"ca": "/ca"}),
        (
            {"upstream_name": "b.test", "upstream_cert": "/b.crt", "upstream_key": "/b.key"},
            None,
            {"cert": "/b.crt", "key": "/b.key", "server_name": "b.test"},
        ),
        ({"upstream_insecure": True}, None, {"verify": "NONE"}),
    ],
)
def test_options_of_tls_become_a_valid_configuration(
    given: dict[str, object], tls: object, upstream_tls: object
) -> None:
    text = configuration("127.0.0.1:1", "a:2", NOTHING | given)
    listener = json.loads(text)["listeners"][0]
    assert (listener.get("tls"), listener["upstream"].get("tls")) == (tls, upstream_tls)
    document = load(text)
    assert document.problems == ()
    assert check(document.config, {}) == []


def test_files_of_tls_are_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = configuration("127.0.0.1:1", "a:2", NOTHING | {"tls_cert": Path("a.crt"), "tls_key": Path("../a.key")})
    assert json.loads(text)["listeners"][0]["tls"] == {"cert": f"{tmp_path}/a.crt", "key": f"{tmp_path.parent}/a.key"}


@pytest.mark.long
def test_proxy_speaks_tls_on_both_sides(upstream: int, tmp_path: Path) -> None:
    """Plain text goes in at one proxy, out at another, and TLS is between the two."""
    authority = Authority(tmp_path)
    issued = authority.issue()
    with (
        proxying(upstream, "--tls-cert", str(issued.certificate), "--tls-key", str(issued.key)) as secure,
        proxying(secure, "--upstream-ca", str(authority.certificate)) as port,
        socket.create_connection(("127.0.0.1", port), 20) as client,
    ):
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"


@pytest.mark.parametrize(
    "words, error",
    [
        (["--bandwidth", "fast"], "'fast' is not a rate: write 1000, 64KiB/s or 1MB/s"),
        (["--bandwidth", "0"], "'0' is not a rate: write 1000, 64KiB/s or 1MB/s"),
        (["--reset-after", "1", "--close-after", "1"], "give --reset-after or --close-after, not both"),
    ],
)
def test_proxy_with_wrong_options_is_a_usage_error(words: list[str], error: str) -> None:
    result = CliRunner().invoke(main, ["proxy", "127.0.0.1:1", "a:2", *words])
    assert result.exit_code == 2
    assert error in result.stderr


@pytest.mark.parametrize(
    "text, rate", [("1000", 1000), ("64KiB/s", 65536), ("1MB/s", 1_000_000), ("2kb", 2000), ("1gi", 1 << 30)]
)
def test_rate_is_read_with_its_unit(text: str, rate: int) -> None:
    from answerback.cli.proxy import Rate

    assert Rate().convert(text, None, None) == rate


def test_proxy_onto_itself_does_not_start() -> None:
    port = free_port()
    # In a process of its own: a server configures the logs of its process.
    command = [sys.executable, "-m", "answerback.cli", "proxy", f"127.0.0.1:{port}", f"localhost:{port}"]
    command += ["--admin", "127.0.0.1:0", "--metrics", "off"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "leads back to this listener" in result.stderr
