"""bench.startup and bench.books: figures from /metrics."""

import pytest

from bench import books, server, startup
from bench.startup import METRIC

BALANCED = """\
# HELP answerback_connections_accepted_total Connections accepted.
# TYPE answerback_connections_accepted_total counter
answerback_connections_accepted_total{listener="a"} 7.0
answerback_connections_accepted_total{listener="b"} 5.0
answerback_connections_closed_total{listener="a",reason="peer_eof"} 6.0
answerback_connections_closed_total{listener="a",reason="worker_crashed"} 0.0
answerback_connections_closed_total{listener="b",reason="peer_eof"} 5.0
answerback_connections_open{listener="a"} 1.0
answerback_connections_open{listener="b"} 0.0
"""


@pytest.mark.parametrize(
    "exposition, seconds",
    [
        ("", None),
        (f'{METRIC}{{worker="0"}} 0.0\n', None),  # no beat yet
        (
            f'# HELP {METRIC} x\n{METRIC}{{worker="0"}} 0.125\n',
            0.125,
        ),
        (
            f'{METRIC}{{worker="0"}} 1e-1\n{METRIC}{{worker="1"}} 0.2\n',
            0.2,
        ),
    ],
)
def test_startup_duration_is_that_of_the_slowest_worker(exposition: str, seconds: float | None) -> None:
    assert startup.parse_start(exposition) == seconds


@pytest.mark.parametrize(
    "exposition, astray",
    [
        (BALANCED, 0),
        (BALANCED.replace("7.0", "9.0"), 2),
        (BALANCED.replace('_open{listener="a"} 1.0', '_open{listener="a"} 2.0'), 1),
        ("answerback_connections_accepted_total 1\n", None),
        ("", None),
    ],
)
def test_exposition_counters_balance_or_give_their_difference(exposition: str, astray: float | None) -> None:
    assert books.astray(exposition) == astray


def test_benchmarked_server_writes_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("SOMETHING", "else")
    said = server.as_installed()
    assert "PYTHONDONTWRITEBYTECODE" not in said
    assert said["SOMETHING"] == "else"
