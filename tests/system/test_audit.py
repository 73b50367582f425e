"""The audit log names the caller of each change and each rejected call."""

import signal

import pytest

from tests.system.conftest import ECHO, Start

pytestmark = pytest.mark.long

OTHER = ECHO.replace("[echo]", "[echo, close]")


def test_audit_log_has_a_line_for_each_change_and_rejection(start_server: Start) -> None:
    running = start_server()
    etag = running.status()["etag"]
    assert running.cli("apply", "--comment", "two\nlines \x1b[2J", "-", stdin=OTHER).returncode == 0
    assert running.cli("apply", "--etag", etag, "--comment", "late", "-", stdin=ECHO).returncode == 1
    assert running.cli("apply", "-", stdin=ECHO.replace("0.1:0", "0.1:99999")).returncode == 1
    running.process.send_signal(signal.SIGHUP)
    first, applied, late, wrong, reloaded = running.told(5, logger="audit")

    assert (first["message"], first["origin"], "peer" in first) == ("revision 1 is active", "file", False)
    assert (applied["message"], applied["revision"], applied["origin"]) == ("revision 2 is active", 2, "api")
    assert applied["comment"] == "two\nlines \x1b[2J"
    assert applied["peer"].startswith("ipv4:127.0.0.1:")
    assert (late["message"], late["comment"]) == ("a change was rejected", "late")
    assert "another revision is active now" in late["reason"]
    assert wrong["reason"] == "listeners[0].address: a port is 0 to 65535, not 99999"
    assert late["peer"].startswith("ipv4:127.0.0.1:")
    assert (reloaded["message"], reloaded["origin"], "peer" in reloaded) == ("revision 3 is active", "file", False)
    assert "\x1b" not in running.log.read_text()
    assert running.stop() == 0


def test_audit_log_has_a_line_for_each_operation(start_server: Start) -> None:
    running = start_server(ECHO)
    assert running.cli("reset-counters", "--listener", "echo").returncode == 0
    assert running.cli("restart").returncode == 0
    _, reset, restart = running.told(3, logger="audit")
    assert (reset["message"], reset["listener"], reset["counters"]) == ("counters reset", "echo", 0)
    assert restart["message"] == "restarting the workers"
    assert restart["peer"].startswith("ipv4:127.0.0.1:")
    assert running.stop() == 0
