"""bench.load: parsing the output of redis-benchmark, and which of it is a failure."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import load
from bench.load import LoadFailed, LoadResult

OUTPUT = """\
 PING_INLINE: rps=0.0 (overall: 0.0) avg_msec=-nan (overall: -nan)\r====== PING_INLINE ======
  8000 requests completed in 0.73 seconds
  50 parallel clients
  3 bytes payload
  keep alive: 0
  multi-thread: no

Latency by percentile distribution:
0.000% <= 0.511 milliseconds (cumulative count 2)

Summary:
  throughput summary: 13736.26 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        1.870     0.504     1.751     3.015     5.871    10.471
"""
MODE = load.MODES[0]


def client(folder: Path, stdout: str = OUTPUT, stderr: str = "", code: int = 0) -> str:
    """A client that returns given answers."""
    (folder / "stdout").write_text(stdout)
    (folder / "stderr").write_text(stderr)
    program = folder / "client"
    program.write_text(f"#!/bin/sh\ncat {folder}/stdout\ncat {folder}/stderr >&2\nexit {code}\n")
    program.chmod(0o755)
    return str(program)


def test_load_summary_is_parsed() -> None:
    assert load.parse_load(OUTPUT, 8000) == LoadResult(8000, 13736.26, 1.751, 5.871)


def test_load_summary_with_infinite_rate_is_parsed() -> None:
    assert load.parse_load(OUTPUT.replace("13736.26", "inf"), 8000).requests_per_second == float("inf")


@pytest.mark.parametrize(
    "output, message",
    [
        ("", "printed no summary"),
        (OUTPUT.replace("8000", "7999"), "only 7999 of 8000 requests were answered"),
        ("Error from server: ERR unknown command\n" + OUTPUT, "Error from server: ERR unknown command"),
    ],
)
def test_load_output_with_missing_answers_is_a_failure(output: str, message: str) -> None:
    with pytest.raises(LoadFailed, match=message):
        load.parse_load(output, 8000)


def test_warnings_of_redis_benchmark_about_other_servers_are_ignored(tmp_path: Path) -> None:
    stderr = (
        "ERROR: failed to fetch CONFIG from 127.0.0.1:1\n"
        "WARNING: Could not fetch server CONFIG\n"
        "WARNING: Keepalive disabled. You probably need 'echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse'\n"
    )
    assert load.run_load(client(tmp_path, stderr=stderr), 1, MODE, 8000).requests == 8000


@pytest.mark.parametrize(
    "stderr, code, message",
    [
        ("Error: Server closed the connection\n", 1, "persistent: Error: Server closed the connection"),
        ("Error writing to the server: Broken pipe\n", 0, "persistent: Error writing to the server"),
        ("", 3, "persistent: the client exited with 3"),
    ],
)
def test_errors_of_redis_benchmark_are_failures(tmp_path: Path, stderr: str, code: int, message: str) -> None:
    with pytest.raises(LoadFailed, match=message):
        load.run_load(client(tmp_path, stderr=stderr, code=code), 1, MODE, 8000)


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A server that reads one request, says something and closes."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_probe_of_server_with_right_answer_passes() -> None:
    with answering(load.REPLY * 3) as port:
        load.probe(port, 3)


@pytest.mark.parametrize("reply", [b"", b"+PONG\n", b"-ERR no\r\n", load.REPLY * 2])
def test_probe_of_server_with_wrong_answer_fails(reply: bytes) -> None:
    with answering(reply) as port, pytest.raises((LoadFailed, ConnectionError)):
        load.probe(port, 3)


def test_request_counts_are_whole_pipelines_and_fit_the_client_ports() -> None:
    for mode in load.MODES:
        assert mode.requests % load.PIPELINE == mode.smoke_requests % load.PIPELINE == 0 or "-P" not in mode.options
        assert mode.requests < 28_000 or mode.options[1] == "1"
