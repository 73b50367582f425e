"""bench.figures and bench.report: verdicts, tables and the JSON file."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import figures, report
from bench.__main__ import PARTS
from bench.figures import FIGURES, judge
from bench.results import (
    Compared,
    Comparison,
    Cost,
    Fairness,
    Fixture,
    Journaled,
    Kills,
    Memory,
    Merged,
    Missing,
    Readers,
    Relayed,
    Renewed,
    Results,
    Ruled,
    Secured,
    Start,
    Ticked,
    Toxics,
    Verdict,
)
from bench.roster import ALL_MODES, PAIRINGS, ROSTER
from bench.stats import spread

RULED = (
    "exact",
    "regex",
    "expr of a slice",
    "template of five values",
    "one shared variable",
    "add",
    "times for each peer",
)
ALL_CONTENDERS = [contender.key for contender in ROSTER]


@pytest.fixture
def results() -> Results:
    found = Results("2024-01-01T00:00:00+00:00", {"kernel": "6"}, {"pairs": 7})
    for figure in (("callback", "floor"), ("coroutine", "streams"), ("coroutine", "streams-original")):
        for mode in ALL_MODES:
            found.costs.append(Cost(figure[0], mode, spread([12.0, 13.0]), 50_000.0, 1.0))
            found.comparisons.append(Comparison(*figure, mode, spread([0.9])))
    found.memory += [Memory("callback", 10_000, 20_000_000, 1024, 2048), Memory("coroutine", 10_000, 1, 6200, 1)]
    found.start = Start(spread([0.2, 0.3, 0.9]), spread([0.5]))
    found.fixture = Fixture(spread([0.4]), spread([1.2]), spread([0.003, 0.004, 0.005]), 0.005)
    found.kills = Kills(4, 2400.0, 9000, 7, 29, 0)
    one, many = spread([30.0]), spread([27.0, 42.0])
    found.rules += [Ruled(kind, 50, one, many, spread([0.9]), spread([12.0])) for kind in RULED]
    found.expr_alone = 0.9
    found.journal += [Journaled(mode, one, one, spread([0.9])) for mode in ALL_MODES]
    found.merged = Merged(10_000, 4, spread([0.05]))
    again, merging, computing, deaf = (Compared(each, spread([each])) for each in (1.01, 1.2, 1.1, 1.0))
    found.readers = Readers(80, again, merging, computing, deaf, spread([4.0]))
    found.ticks += [
        Ticked("callback", 10_000, 200_000, 20.0, 0.001, 0.125),
        Ticked("coroutine", 10_000, 200_000, 20.0, 0.001, 0.255),
    ]
    found.tls.append(
        Secured(
            "callback",
            full=spread([500.0]),
            full_ratio=spread([1.5]),
            full_floor=spread([1.75]),
            resumed=spread([300.0]),
            resumed_ratio=spread([1.4]),
            resumed_floor=spread([1.6]),
            kept=spread([20.25]),
            kept_ratio=spread([0.75]),
            relayed_ratio=spread([1.25]),
            idle_kib=38.25,
            idle_plain_kib=2.0,
            idle_floor_kib=33.0,
            renewed=Renewed(4000, 499.8, 0, 4),
        )
    )
    found.relays += [
        Relayed("callback", spread([18.0, 36.0]), spread([270.0]), spread([150.0]), 4.1),
        Relayed("coroutine", spread([18.0, 36.0]), spread([270.0]), spread([151.0]), None),
        Relayed("uvloop", spread([20.0, 40.0]), spread([300.0]), spread([80.0]), 3.0),
        Relayed("haproxy", spread([20.0, 40.0]), spread([300.0]), spread([80.0]), 3.0),
    ]
    found.toxics.append(Toxics("callback", 2, spread([0.004, 0.006]), spread([0.003]), 0.25, 0.75))
    found.fairness += [
        Fairness(engine, attackers, 2000, 0.5, p99, 30.0)
        for engine in ("callback", "coroutine")
        for attackers, p99 in ((1, 20.0), (60, 101.0))
    ]
    found.books_astray = 0
    return found


def measured(verdicts: list[Verdict]) -> dict[str, tuple[float | None, bool]]:
    return {verdict.figure: (verdict.measured, verdict.met) for verdict in verdicts}


def test_each_figure_has_a_verdict(results: Results) -> None:
    verdicts = measured(judge(results, PARTS, ALL_CONTENDERS))
    assert verdicts == {
        **{figure.title: (0.9, True) for figure in FIGURES if figure.unit == "×"},
        "50 regex rules, beyond one": (12.0, False),
        "five values / a constant, beyond": (12.0, True),
        "one shared variable / a constant, beyond": (12.0, False),
        "add / a constant, beyond": (12.0, True),
        "times for each peer / for all, beyond": (12.0, False),
        **{f"journal on, beyond off, {mode}": (0.9, True) for mode in ALL_MODES},
        "journal, merging 10,000 exchanges": (50.0, True),
        "p99 of clients while 10,000 exchanges are merged / alone": (1.2, False),
        "p99 of clients beside a watcher that never reads / alone": (1.0, True),
        "memory of the supervisor for a watcher that never reads": (4.0, True),
        "CALLBACK, idle connection": (2.0, True),
        "COROUTINE, idle connection": (6200 / 1024, False),
        "worker, exec to first beat": (300.0, True),
        "fixture, server ready": (400.0, True),
        "fixture, last of four servers ready": (1200.0, True),
        "fixture, further listener, median": (4.0, True),
        "fixture, further listener, p95": (5.0, True),
        "CALLBACK, p99 of others beside 1 attacker": (20.0, True),
        "CALLBACK, p99 of others beside 60 attackers": (101.0, False),
        "COROUTINE, p99 of others beside 1 attacker": (20.0, True),
        "COROUTINE, p99 of others beside 60 attackers": (101.0, False),
        "CALLBACK, a tick a second on 10,000 connections": (12.5, True),
        "COROUTINE, a tick a second on 10,000 connections": (25.5, False),
        "CALLBACK, latency added by a relay": (150.0, True),
        "COROUTINE, latency added by a relay": (151.0, False),
        "CALLBACK, idle connection relayed": (4.1, False),
        "COROUTINE, idle connection relayed": (None, False),
        "workers killed: µs from connection to connection": (1e6 / 2400, True),
        "workers killed: failures beyond crashed + 1 a kill": (0, True),
        "workers killed: kills that crashed nothing": (0, True),
        "workers killed: connections astray": (0, True),
        "books after the load: connections astray": (0.0, True),
    }
    assert len(verdicts) == len(FIGURES)


def test_figure_not_measured_is_not_met() -> None:
    verdicts = judge(Results("now", {}, {}), PARTS, ALL_CONTENDERS)
    assert len(verdicts) == len(FIGURES)
    assert not any(verdict.met for verdict in verdicts)


def test_figures_of_parts_not_requested_are_not_judged(results: Results) -> None:
    assert [each.figure for each in judge(results, ["start"], ALL_CONTENDERS)] == ["worker, exec to first beat"]
    assert judge(results, PARTS, ["floor", "uvloop"]) == []


def test_each_judged_ratio_has_a_pairing() -> None:
    paired = {frozenset((pairing.subject, pairing.baseline)) for pairing in PAIRINGS}
    for figure in FIGURES:
        if figure.unit == "×" and set(figure.parts) <= set(ALL_MODES):
            assert frozenset(figure.needs) in paired


def test_figure_equal_to_its_limit_is_met() -> None:
    assert Verdict("x", 1.6, "×", 1.6).met
    assert not Verdict("x", 1.6, "×", 1.6001).met


def test_report_without_colour_has_every_table(results: Results) -> None:
    results.verdicts = judge(results, PARTS, ALL_CONTENDERS)
    results.missing.append(Missing("redis", "all load", "redis-server is not [installed]"))
    page = io.StringIO()
    report.print_report(results, Console(file=page, width=report.WIDTH))
    text = page.getvalue()
    assert "\x1b" not in text
    assert "could not run: redis-server (all load): redis-server is not [installed]" in text
    for words in ("Answerback CALLBACK", "12.50 (12.00–13.00)", "50,000/s", "0.90 (0.90–0.90)", "2.00", "missed"):
        assert words in text
    assert "worker, exec to first beat: median of 3: 300 ms (200–900)" in text
    ticks = (
        "10,000 connections with a tick a second: 12.5% of a core, without ticks 0.1%; 200,000 lines arrived in 20 s"
    )
    assert f"callback, {ticks}" in text
    for line in (
        "a full handshake: 500 µs, 1.50 × nginx, 1.75 × bare ssl",
        "a resumed handshake: 300 µs, 1.40 × nginx, 1.60 × bare ssl",
        "a request: 20.2 µs, 0.75 × nginx as a relay; relayed, 1.25 ×",
    ):
        assert f"callback, TLS 1.3, {line}\n" in text
    rotation = "callback, 4,000 handshakes at 500 per second while 4 certificates followed each other: 0 lost\n"
    idle = "callback, an idle connection of TLS: 38.2 KiB, without TLS 2.0 KiB, of bare ssl 33.0 KiB\n"
    assert idle + rotation in text
    rows = [line for line in text.splitlines() if "HAProxy, mode tcp" in line]
    assert [cell.strip() for cell in rows[0].split("│")[2:-1]] == [
        "30.00 (20.00–40.00)",
        "0.90, 0.90",
        "300 (300–300)",
        "0.90, 0.90",
        "80 (80–80)",
        "3.00",
    ]
    assert (
        "callback, Toxiproxy's API with 2 workers: a toxic is added in 5.0 ms (p99 6.0) "
        "and removed in 3.0 ms (p99 3.0); p99 of live round trips 0.75 ms, without changes 0.25 ms"
    ) in text.replace("\n", " ")
    assert "fixture: a further listener (p95 5.0 ms): median of 3: 4.0 ms (3.0–5.0)" in text
    assert "4 workers killed at 2,400 connections/s: 9,000 answered, 7 failed, 29 crashed in the metrics" in text


def test_json_report_has_the_samples_and_the_verdicts(results: Results, tmp_path: Path) -> None:
    results.verdicts = judge(results, PARTS, ALL_CONTENDERS)
    path = tmp_path / "new" / "latest.json"
    report.write_json(results, path)
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    assert content["start"]["first_beat"]["samples"] == [0.2, 0.3, 0.9]
    assert content["verdicts"][0] == {
        "figure": "CALLBACK / C floor, persistent",
        "limit": 1.6,
        "unit": "×",
        "measured": 0.9,
        "met": True,
    }
    assert figures.KIB == 1024
