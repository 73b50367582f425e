"""Signals to a real `answerback serve`, run by default; more in test_signals.py."""

import signal

import pytest

from tests.system.conftest import Start
from tests.system.test_signals import STUCK, begun, is_reset
from tests.waiting import eventually

# As a script that starts it in the background: its shell has it ignore SIGINT (POSIX, 2.11).
IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")


def test_first_signal_drains_and_second_aborts_with_sigint_ignored_at_start(start_server: Start) -> None:
    running = start_server(STUCK, "--workers", "2", "--grace", "60s", under=IN_THE_BACKGROUND)
    with begun(running, "stuck") as stuck, begun(running, "slow") as slow:
        running.process.send_signal(signal.SIGINT)
        running.told(message="SIGINT: draining; a second signal aborts")
        assert slow.recv(100) == b"done\n"
        assert slow.recv(100) == b""
        eventually(lambda: running.cli("health").returncode == 1, what="not ready")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 1
        assert running.logged("SIGTERM: aborting")
        assert is_reset(stuck)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_idle_server_exits_with_0_on_sigterm_or_sigint(start_server: Start, signum: signal.Signals) -> None:
    running = start_server(STUCK)
    assert running.stop(signum) == 0
    assert "Traceback" not in running.log.read_text()


def test_sighup_applies_the_changed_file(start_server: Start) -> None:
    running = start_server("listeners: [{name: a, address: '127.0.0.1:0', framing: line, rules: [{do: [send: one]}]}]")
    assert running.ask(b"hi\n") == b"one"
    running.config.write_text(running.config.read_text().replace("one", "two"))
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: running.ask(b"hi\n") == b"two", what="the new answer")
    running.config.write_text("listeners: [{}]")
    running.process.send_signal(signal.SIGHUP)
    running.told(level="ERROR")
    assert running.ask(b"hi\n") == b"two"
