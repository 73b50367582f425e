"""bench.run: the order of the runs, and contenders that fail."""

import pytest

from bench import run
from bench.load import LoadFailed, LoadResult, Mode
from bench.results import Results
from bench.roster import Pairing
from bench.run import LoadBench, Run
from bench.server import Server

MODE = Mode("persistent", (), 100, 10)
COSTS = {"floor": 10.0, "slow": 15.0, "fast": 9.0}


class Played(LoadBench):
    """The bench without servers: runs are noted, and cost what the table says."""

    __slots__ = ("breaks", "order")
    order: list[str]
    breaks: str

    def run(self, key: str, mode: Mode, requests: int) -> Run:
        if requests == mode.requests:  # not a warm-up
            self.order.append(key)
            if key == self.breaks:
                raise LoadFailed("no answer")
        return Run(COSTS[key], LoadResult(requests, 1000.0, 1.0, 2.0))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, server: Server) -> Played:
    monkeypatch.setattr(run, "probe", lambda _port, _requests: None)
    results = Results("now", {}, {})
    played = Played(
        dict.fromkeys(COSTS, server), "client", 0, 3, smoke=False, results=results, progress=lambda _line: None
    )
    played.order, played.breaks = [], ""
    return played


def test_pairs_alternate_and_their_order_is_reversed_each_round(bench: Played) -> None:
    bench.run_mode(MODE, [Pairing("slow", "floor"), Pairing("fast", "floor")])
    first, second = ["floor", "slow", "floor", "fast"], ["slow", "floor", "fast", "floor"]
    assert bench.order == [*first, *second, *first]
    assert [(each.subject, each.ratio.samples) for each in bench.results.comparisons] == [
        ("slow", (1.5, 1.5, 1.5)),
        ("fast", (0.9, 0.9, 0.9)),
    ]
    assert {each.contender: each.microseconds.median for each in bench.results.costs} == COSTS
    assert len(next(each for each in bench.results.costs if each.contender == "floor").microseconds.samples) == 6


def test_pairings_of_other_modes_are_not_run(bench: Played) -> None:
    bench.run_mode(MODE, [Pairing("slow", "floor", ("one-shot",))])
    assert bench.order == []


def test_contender_that_fails_is_left_out_and_named(bench: Played) -> None:
    bench.breaks = "slow"
    bench.run_mode(MODE, [Pairing("slow", "floor"), Pairing("fast", "floor")])
    assert [each.subject for each in bench.results.comparisons] == ["fast"]
    assert [(each.contender, each.what, each.why) for each in bench.results.missing] == [
        ("slow", "persistent", "no answer")
    ]
    assert "slow" not in {each.contender for each in bench.results.costs}


def test_contender_that_does_not_run_is_skipped(bench: Played) -> None:
    bench.servers = {key: bench.servers[key] for key in ("floor", "fast")}
    bench.run_mode(MODE, [Pairing("slow", "floor"), Pairing("fast", "floor")])
    assert [each.subject for each in bench.results.comparisons] == ["fast"]


def test_contender_that_fails_the_probe_is_not_measured(bench: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(port: int, _requests: int) -> None:
        raise LoadFailed(f"answered b'' on {port}")

    monkeypatch.setattr(run, "probe", wrong)
    bench.run_mode(MODE, [Pairing("slow", "floor")])
    assert bench.order == []
    assert [each.contender for each in bench.results.missing] == ["floor", "slow"]
