"""`answerback health`."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
from click.testing import CliRunner, Result

from answerback.cli.health import _reachable, command
from tests.one_by_one import hello, one_by_one
from tests.ports import free_port


class Probe(BaseHTTPRequestHandler):
    status, text = 200, b"ready\n"
    statuses: Iterator[int] = iter(())
    """The first statuses, before `status`."""

    def do_GET(self) -> None:
        assert self.path == "/readyz"
        self.send_response(next(self.statuses, self.status))
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def probe() -> Iterator[type[Probe]]:
    class Told(Probe):
        pass

    with HTTPServer(("127.0.0.1", 0), Told) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Told.text = b"ready\n"
        Told.server_port = server.server_port  # type: ignore[attr-defined]
        yield Told
        server.shutdown()
        thread.join()


def ask(port: int, *args: str) -> Result:
    return CliRunner().invoke(command, ["--metrics", f"127.0.0.1:{port}", *args])


def test_health_of_ready_server_exits_with_0(probe: type[Probe]) -> None:
    result = ask(probe.server_port)  # type: ignore[attr-defined]
    assert (result.exit_code, result.stdout, result.stderr) == (0, "ready\n", "")


def test_health_of_server_not_ready_fails_with_the_reason(probe: type[Probe]) -> None:
    probe.status, probe.text = 503, b"draining\n"
    result = ask(probe.server_port)  # type: ignore[attr-defined]
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: not ready: draining\n")


def test_health_with_json_output_prints_readiness(probe: type[Probe]) -> None:
    result = ask(probe.server_port, "-o", "json")  # type: ignore[attr-defined]
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"ready": True, "detail": "ready"})
    probe.status, probe.text = 503, b"draining\n"
    result = ask(probe.server_port, "-o", "yaml")  # type: ignore[attr-defined]
    assert (result.exit_code, result.stdout) == (1, 'ready: false\ndetail: "not ready: draining"\n')


def test_health_with_server_option_hints_at_the_metrics_address(probe: type[Probe]) -> None:
    port = probe.server_port  # type: ignore[attr-defined]
    result = ask(port, "--server", "127.0.0.1:50051")
    hint = f"--server is ignored: health checks the metrics address 127.0.0.1:{port} (--metrics)\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, "ready\n", hint)


def test_health_with_no_server_listening_fails() -> None:
    port = free_port()
    result = ask(port)
    assert result.exit_code == 1
    assert result.stderr == f"Error: http://127.0.0.1:{port}/readyz: Connection refused\n"


def test_health_with_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        result = ask(port, "--timeout", "10ms")
    assert result.exit_code == 1
    assert result.stderr == f"Error: http://127.0.0.1:{port}/readyz: timed out\n"


def test_health_with_server_that_is_not_http_fails() -> None:
    with one_by_one(hello) as port:
        result = ask(port)
    assert result.exit_code == 1
    reason = "the reply is not HTTP; health needs the metrics address (--metrics)"
    assert result.stderr == f"Error: http://127.0.0.1:{port}/readyz: {reason}\n"


def test_health_pointed_at_a_grpc_port_names_the_right_option() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        result = ask(port)
    finally:
        server.stop(None)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "this port speaks gRPC, as the admin API does; health needs the metrics address" in result.stderr


def test_health_pointed_at_another_http_server_names_the_right_option(probe: type[Probe]) -> None:
    probe.statuses = iter((404,))
    result = ask(probe.server_port)  # type: ignore[attr-defined]
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(
        "/readyz: this HTTP server has no /readyz; health needs the metrics address (--metrics)\n"
    )


def test_health_with_wait_exits_once_the_server_is_ready(probe: type[Probe]) -> None:
    probe.statuses = iter((503, 503, 200))
    result = ask(probe.server_port, "--wait", "1h")  # type: ignore[attr-defined]
    assert (result.exit_code, result.stdout) == (0, "ready\n")
    assert list(probe.statuses) == []


def test_health_with_wait_waits_for_a_server_that_does_not_listen_yet() -> None:
    port = free_port()
    done: list[Result] = []
    waiting = threading.Thread(target=lambda: done.append(ask(port, "--wait", "1h")))
    waiting.start()
    with HTTPServer(("127.0.0.1", port), Probe) as server:
        while not done:
            server.timeout = 0.05
            server.handle_request()
    waiting.join()
    assert (done[0].exit_code, done[0].stdout) == (0, "ready\n")


def test_health_with_wait_fails_when_the_time_is_over(probe: type[Probe]) -> None:
    probe.status, probe.text = 503, b"draining\n"
    result = ask(probe.server_port, "--wait", "100ms")  # type: ignore[attr-defined]
    assert (result.exit_code, result.stderr) == (1, "Error: not ready: draining\n")


@pytest.mark.parametrize(
    "address, reached",
    [
        ("0.0.0.0:9464", ("127.0.0.1", 9464)),
        ("[::]:1", ("::1", 1)),
        ("[2001:db8::1]:2", ("2001:db8::1", 2)),
        ("192.0.2.1:3", ("192.0.2.1", 3)),
    ],
)
def test_health_reaches_wildcard_address_through_loopback(address: str, reached: tuple[str, int]) -> None:
    assert _reachable(address) == reached


def test_health_takes_its_address_from_the_environment(probe: type[Probe]) -> None:
    address = f"127.0.0.1:{probe.server_port}"  # type: ignore[attr-defined]
    result = CliRunner().invoke(command, env={"ANSWERBACK_METRICS": address})
    assert result.exit_code == 0


def test_health_and_version_import_no_heavy_library() -> None:
    code = (
        "import sys, answerback.cli.health, answerback.cli.version; "
        "print(*sorted({'grpc', 'google.protobuf', 'rich', 'yaml', 'uvloop', 'aiohttp', 'asyncio'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
