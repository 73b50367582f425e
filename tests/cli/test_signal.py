"""`answerback signal`."""

import json
from typing import Any

import pytest

from answerback.supervisor import NoSuchSignal
from answerback.v1 import operations_service_pb2 as pb


@pytest.mark.parametrize(
    "woken, kept, text",
    [(1, 0, "1 waiting connection woken, 0 kept\n"), (2, 3, "2 waiting connections woken, 3 kept\n")],
)
def test_signal_prints_what_it_did(api: Any, cli: Any, woken: int, kept: int, text: str) -> None:
    api.answers["Signal"] = pb.SignalResponse(woken=woken, kept=kept)
    result = cli("signal", "go")
    assert (result.exit_code, result.stdout, result.stderr) == (0, text, "")
    assert json.loads(cli("signal", "go", "--count", "5", "-o", "json").stdout) == {"woken": woken, "kept": kept}
    assert api.asked == [pb.SignalRequest(name="go", count=1), pb.SignalRequest(name="go", count=5)]


@pytest.mark.parametrize("count", ["0", "10001", "x"])
def test_signal_with_a_bad_count_exits_with_2(cli: Any, count: str) -> None:
    assert cli("signal", "go", "--count", count).exit_code == 2


def test_unknown_signal_fails(api: Any, cli: Any) -> None:
    api.answers["Signal"] = NoSuchSignal("go")
    result = cli("signal", "go")
    assert result.exit_code == 1
    assert "no step `wait` or `signal` of the active configuration names 'go'" in result.stderr


def test_status_shows_who_waits_for_which_signal(api: Any, cli: Any) -> None:
    signals = [pb.SignalStatus(name="go", waiting=2), pb.SignalStatus(name="stop", kept=3)]
    api.answers["GetStatus"] = pb.GetStatusResponse(signals=signals)
    lines = [line.split() for line in cli("status").stdout.splitlines()]
    assert ["SIGNAL", "WAITING", "KEPT"] in lines
    assert ["go", "2", "0"] in lines
    assert ["stop", "0", "3"] in lines
