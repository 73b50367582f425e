"""The admin API's client: its messages when a call fails."""

import socket
from typing import Any

import pytest
from click.testing import CliRunner

from answerback.cli import main
from answerback.supervisor import Stopping
from tests.one_by_one import hello, one_by_one
from tests.ports import free_port


def test_show_with_no_server_listening_fails_with_advice() -> None:
    server = f"127.0.0.1:{free_port()}"
    result = CliRunner().invoke(main, ["show", "--server", server])
    assert (result.exit_code, result.stdout) == (1, "")
    first, second = result.stderr.splitlines()
    assert first.startswith(f"Error: no Answerback server at {server}: ")
    assert second == "Is `answerback serve` running? Set --server or ANSWERBACK_SERVER to the address of its admin API."


def test_show_with_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        result = CliRunner().invoke(main, ["show", "--server", server, "--timeout", "50ms"])
    assert (result.exit_code, result.stderr) == (1, f"Error: {server} did not answer within 0.05 s (--timeout)\n")


def test_show_with_server_that_is_not_grpc_fails() -> None:
    with one_by_one(hello) as port:
        server = f"127.0.0.1:{port}"
        result = CliRunner().invoke(main, ["show", "--server", server])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: no Answerback server at {server}: ")


def test_internal_error_prints_its_incident(api: Any, cli: Any) -> None:
    api.answers["GetConfig"] = KeyError("secret")
    result = cli("show")
    assert (result.exit_code, result.stderr) == (1, f"Error: 127.0.0.1:{api.port}: internal error 0a1b\n")


def test_error_of_stopping_server_does_not_say_that_no_server_listens(api: Any, cli: Any) -> None:
    api.answers["GetConfig"] = Stopping()
    result = cli("show")
    assert result.exit_code == 1
    assert "no Answerback server" not in result.stderr


@pytest.mark.parametrize("command", ["show", "status", "apply", "history", "rollback", "watch"])
def test_admin_command_with_unknown_option_exits_with_2(cli: Any, command: str) -> None:
    result = cli(command, "--no-such-option")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such option" in result.stderr


def test_call_to_an_http_port_says_so() -> None:
    def answer(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with one_by_one(answer) as port:
        result = CliRunner().invoke(main, ["status", "--server", f"127.0.0.1:{port}"])
    assert result.exit_code == 1
    assert "This port speaks HTTP, as the metrics port does: set --server" in result.stderr
