"""The wiring of one `answerback serve`: its output and its start. tests/system tests the rest."""

import asyncio
import os
import signal
from typing import Any

import pytest

from answerback import __version__, app, logs
from answerback.app import ServeOptions, banner, first_command, reachable, serve
from answerback.core.plan import Accept, Engine
from answerback.language.builtin import BUILT_IN
from answerback.metrics.snapshot import Counts
from answerback.supervisor import ListenerStatus, StartError, State, Status, Supervisor, WorkerStatus
from answerback.v1.config_pb2 import Config, Framing, Listener, Tls


def status(*addresses: str, workers: int = 1) -> Status:
    listeners = [
        ListenerStatus(f"l{n}", address, Engine.CALLBACK, Accept.NORMAL, Counts(0, 0, 0))
        for n, address in enumerate(addresses)
    ]
    crew = [WorkerStatus(n, 1, True, 1, 0, None, 0.1, 0.0) for n in range(workers)]
    return Status(State.SERVING, "", 1, "abc-1", listeners, crew, None, None, 0, 0, None, (), 0, 0)


def test_banner_shows_addresses_and_a_first_command() -> None:
    said = banner(status("0.0.0.0:8000", "[::]:70", workers=2), BUILT_IN, "127.0.0.1:50051", "0.0.0.0:9464")
    assert said.splitlines() == [
        f"Answerback {__version__} serves revision 1 with 2 workers. Press Ctrl-C to stop.",
        "  l0       0.0.0.0:8000     callback engine",
        "  l1       [::]:70          callback engine",
        "  admin    127.0.0.1:50051  gRPC: answerback status, answerback apply FILE",
        "  metrics  0.0.0.0:9464     http://127.0.0.1:9464/metrics, and a page at /",
        "Try: printf hi | nc 127.0.0.1 8000",
    ]


@pytest.mark.parametrize(
    "address, framing, command",
    [
        ("127.0.0.1:7000", Framing(), "printf hi | nc 127.0.0.1 7000"),
        ("[::]:7000", Framing(), "printf hi | nc ::1 7000"),
        ("192.0.2.1:7000", Framing(line=Framing.Line()), r"printf 'hi\n' | nc 192.0.2.1 7000"),
        ("unix:/run/a.sock", Framing(), "printf hi | nc -U /run/a.sock"),
    ],
)
def test_banner_command_suits_the_first_listener(address: str, framing: Framing, command: str) -> None:
    config = Config(listeners=[Listener(address=address, framing=framing)])
    assert first_command(status(address), config) == command


def test_banner_command_speaks_tls_with_a_listener_that_does() -> None:
    secured = Listener(address="127.0.0.1:7000", tls=Tls(cert="a", key="b"))
    command = "openssl s_client -quiet -connect 127.0.0.1:7000"
    assert first_command(status("127.0.0.1:7000"), Config(listeners=[secured])) == command


def test_banner_without_listeners_suggests_apply() -> None:
    assert first_command(status(), Config()) == "answerback apply FILE"


def test_app_reports_loopback_for_wildcard_addresses() -> None:
    assert [reachable(one) for one in ("0.0.0.0:1", "[::]:1", "10.0.0.1:1")] == ["127.0.0.1:1", "[::1]:1", "10.0.0.1:1"]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the log to pytest."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)


@pytest.mark.usefixtures("quiet")
async def test_signal_during_start_ends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    class Slow(Supervisor):
        async def start(self) -> None:
            begun.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(app, "Supervisor", Slow)
    serving = asyncio.create_task(serve(ServeOptions(admin="127.0.0.1:0", metrics="127.0.0.1:0")))
    await begun.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await serving == 0


def test_banner_without_metrics_has_no_line_for_them() -> None:
    said = banner(status("127.0.0.1:1"), BUILT_IN, "127.0.0.1:50051", "")
    assert "metrics" not in said
    assert "admin" in said


@pytest.mark.usefixtures("quiet")
async def test_serve_options_reach_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    class Unwilling(Supervisor):
        async def start(self) -> None:
            told.append(self.options)
            raise StartError("not today")

    monkeypatch.setattr(app, "Supervisor", Unwilling)
    options = ServeOptions(
        admin="127.0.0.1:0", metrics="127.0.0.1:0", workers=3, engine="coroutine", drain_delay=1.0, grace=4.0
    )
    with pytest.raises(StartError, match="not today"):
        await serve(options)
    (given,) = told
    assert (given.workers, given.default_engine, given.drain_delay_seconds, given.grace_seconds) == (
        3,
        Engine.COROUTINE,
        1.0,
        4.0,
    )
    assert given.reserved == ()  # port 0 clashes with nothing
