"""`answerback serve`, as a whole."""

from typing import Any

HELLO = """
listeners:
  - name: hello
    address: 127.0.0.1:0
    rules:
      - do: [send: "Hello, World!", close]
"""


def test_it_answers_on_the_port_it_says(responder: Any) -> None:
    running = responder(HELLO)
    with running.connect() as peer:
        peer.sendall(b"hi")
        assert b"".join(iter(lambda: peer.recv(100), b"")) == b"Hello, World!"
    assert running.stop() == 0


def test_the_commands_reach_it(responder: Any) -> None:
    running = responder(HELLO, "--workers", "2")
    assert running.cli("health").stdout == "ok\n"
    assert "send:\n" in running.cli("show").stdout
    status = running.cli("status").stdout
    assert f"hello     {running.listeners['hello']}" in status
