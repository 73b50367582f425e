"""The tables and the JSON file."""

# Rule: data on standard output; colours only on a terminal (rich sees to it, and obeys NO_COLOR).

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import KIB
from bench.proxies import PROXIES
from bench.relay import ENGINES
from bench.results import Comparison, Cost, Fairness, Fixture, Kills, Readers, Relayed, Results, Ruled
from bench.roster import ALL_MODES, ROSTER
from bench.stats import Spread, percentile, ratio_of_rounds

WIDTH = 118  # where there is no terminal to ask
TITLES = {contender.key: contender.title for contender in ROSTER}


def write_json(results: Results, path: Path) -> None:
    """Write everything found, samples included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(results), indent=2, ensure_ascii=False) + "\n")


def document(results: Results) -> dict[str, object]:
    """Return the results as JSON will hold them, with what is derived from them."""
    content: dict[str, object] = asdict(results)
    content["verdicts"] = [{**asdict(verdict), "met": verdict.met} for verdict in results.verdicts]
    return content


def print_report(results: Results, console: Console) -> None:
    """Print all tables that have something in them, then what could not be run."""
    if results.costs:
        console.print(cost_table(results))
        console.print(ratio_table(results))
    if results.memory:
        console.print(memory_table(results))
    if results.start:
        print_start(results, console)
    if results.fixture:
        print_fixture(results.fixture, console)
    for ruled in results.rules:
        print_rules(ruled, console)
    print_journal(results, console)
    print_readers(results.readers, console)
    for fairness in results.fairness:
        print_fairness(fairness, console)
    print_ticks(results, console)
    print_tls(results, console)
    print_relays(results, console)
    print_toxics(results, console)
    if results.kills:
        print_kills(results.kills, console)
    if results.verdicts:
        console.print(verdict_table(results))
    for missing in results.missing:
        name = TITLES.get(missing.contender, missing.contender)
        console.print(f"could not run: {name} ({missing.what}): {missing.why}", style="yellow", markup=False)


def cost_table(results: Results) -> Table:
    """Server CPU per request, a column for each mode."""
    modes = [mode for mode in ALL_MODES if any(cost.mode == mode for cost in results.costs)]
    title = "Server CPU per request, µs: median (least–greatest); requests/s as the client saw them"
    table = Table(title=title, caption="✂ closes by itself after one reply; all others leave that to the client")
    table.add_column("server")
    for mode in modes:
        table.add_column(mode, justify="right")
    by_place = {(cost.contender, cost.mode): cost for cost in results.costs}
    for contender in ROSTER:
        cells = [by_place.get((contender.key, mode)) for mode in modes]
        if any(cells):
            closes = " ✂" if contender.closes else ""
            table.add_row(contender.title + closes, *(cost_cell(cell) for cell in cells))
    return table


def cost_cell(cost: Cost | None) -> str:
    """One contender in one mode."""
    if cost is None:
        return "–"
    spread = cost.microseconds
    return f"{spread.median:.2f} ({spread.least:.2f}–{spread.greatest:.2f}) {cost.requests_per_second:>9,.0f}/s"


def ratio_table(results: Results) -> Table:
    """Ratios of the alternating pairs, a column for each mode."""
    modes = [mode for mode in ALL_MODES if any(each.mode == mode for each in results.comparisons)]
    table = Table(title="Ratio of alternating pairs: median (least–greatest)")
    table.add_column("server")
    table.add_column("to")
    for mode in modes:
        table.add_column(mode, justify="right")
    by_place = {(each.subject, each.baseline, each.mode): each for each in results.comparisons}
    for subject, baseline in dict.fromkeys((each.subject, each.baseline) for each in results.comparisons):
        cells = [ratio_cell(by_place.get((subject, baseline, mode))) for mode in modes]
        table.add_row(TITLES[subject], TITLES[baseline], *cells)
    return table


def ratio_cell(comparison: Comparison | None) -> str:
    """One pairing in one mode."""
    if comparison is None:
        return "–"
    ratio = comparison.ratio
    return f"{ratio.median:.2f} ({ratio.least:.2f}–{ratio.greatest:.2f})"


def memory_table(results: Results) -> Table:
    """Memory per idle connection."""
    table = Table(title="User memory per idle connection (PSS of the workers)")
    for heading in ("server", "connections", "before, MiB", "only connected, KiB", "after an answer, KiB"):
        table.add_column(heading, justify="left" if heading == "server" else "right")
    for each in results.memory:
        before = f"{each.before_bytes / KIB / KIB:.1f}"
        weights = (f"{each.connected_bytes / KIB:.2f}", f"{each.answered_bytes / KIB:.2f}")
        table.add_row(TITLES[each.contender], f"{each.connections:,}", before, *weights)
    return table


def print_start(results: Results, console: Console) -> None:
    """The time of a start, in a line each."""
    assert results.start is not None
    for what, spread in (
        ("worker, exec to first beat", results.start.first_beat),
        ("answerback serve to its first answer", results.start.first_answer),
    ):
        median, least, greatest = (seconds * 1000 for seconds in (spread.median, spread.least, spread.greatest))
        console.print(f"{what}: median of {len(spread.samples)}: {median:.0f} ms ({least:.0f}–{greatest:.0f})")


def print_fixture(fixture: Fixture, console: Console) -> None:
    """The times of the fixtures, in a line each."""
    for what, spread in (
        ("fixture: a server is ready", fixture.ready),
        ("fixture: the last of four servers is ready", fixture.four_ready),
        (f"fixture: a further listener (p95 {fixture.listen_p95 * 1000:.1f} ms)", fixture.listen),
    ):
        median, least, greatest = (seconds * 1000 for seconds in (spread.median, spread.least, spread.greatest))
        console.print(f"{what}: median of {len(spread.samples)}: {median:.1f} ms ({least:.1f}–{greatest:.1f})")


def print_readers(readers: Readers | None, console: Console) -> None:
    """What readers of the journal cost, in a line each."""
    if readers is None:
        return
    for what, found in (
        ("alone, over that of the same again", readers.again),
        (f"while it is merged without a pause ({readers.merges} times), over that alone", readers.merging),
        ("while another program computes, over that alone", readers.computing),
        ("beside a watcher that never reads, over that alone", readers.deaf),
    ):
        least, greatest = found.pairs.least, found.pairs.greatest
        console.print(f"journal, p99 of clients {what}: {found.together:.2f} × (of a pair {least:.2f}–{greatest:.2f})")
    console.print(f"journal, memory for a watcher that never reads: {readers.deaf_kib.median:.0f} KiB more")


def print_rules(ruled: Ruled, console: Console) -> None:
    """What rules cost compared with others, in a line."""
    one, many, ratio = ruled.one.median, ruled.all.median, ruled.ratio
    console.print(
        f"{ruled.title}: {many:.2f} µs, {ruled.compared} {one:.2f} µs; "
        f"{ratio.median:.2f} × ({ratio.least:.2f}–{ratio.greatest:.2f}), {ruled.more.median:.2f} µs more"
    )


def print_journal(results: Results, console: Console) -> None:
    """What the journal costs in each mode, and to merge, in lines."""
    for each in results.journal:
        more = each.more
        console.print(
            f"journal, {each.mode}: on {each.on.median:.2f} µs, off {each.off.median:.2f} µs; "
            f"{more.median:.2f} µs more ({more.least:.2f}–{more.greatest:.2f})"
        )
    if results.merged:
        merged, taken = results.merged, results.merged.seconds.median * 1000
        console.print(f"journal: {merged.exchanges:,} exchanges of {merged.workers} workers merged in {taken:.1f} ms")


def print_fairness(fairness: Fairness, console: Console) -> None:
    """How long well-behaved clients wait beside attackers, in a line."""
    console.print(
        f"{fairness.engine}, {fairness.attackers} attackers: p99 of other clients {fairness.p99_ms:.1f} ms, "
        f"alone {fairness.calm_p99_ms:.1f} ms; the longest wait {fairness.worst_ms:.1f} ms of {fairness.requests:,}"
    )


def print_ticks(results: Results, console: Console) -> None:
    """What a clock on each connection costs, in a line for each engine."""
    for each in results.ticks:
        console.print(
            f"{each.engine}, {each.connections:,} connections with a tick a second: {each.cores:.1%} of a core, "
            f"without ticks {each.idle_cores:.1%}; {each.beats:,} lines arrived in {each.seconds:.0f} s"
        )


def print_tls(results: Results, console: Console) -> None:
    """What TLS costs, in a line for each engine."""
    for each in results.tls:
        for kind, found, to_nginx, to_floor in (
            ("full", each.full, each.full_ratio, each.full_floor),
            ("resumed", each.resumed, each.resumed_ratio, each.resumed_floor),
        ):
            console.print(
                f"{each.engine}, TLS 1.3, a {kind} handshake: {found.median:.0f} µs, {to_nginx.median:.2f} × nginx, "
                f"{to_floor.median:.2f} × bare ssl"
            )
        console.print(
            f"{each.engine}, TLS 1.3, a request: {each.kept.median:.1f} µs, "
            f"{each.kept_ratio.median:.2f} × nginx as a relay; relayed, {each.relayed_ratio.median:.2f} ×"
        )
        console.print(
            f"{each.engine}, an idle connection of TLS: {each.idle_kib:.1f} KiB, "
            f"without TLS {each.idle_plain_kib:.1f} KiB, of bare ssl {each.idle_floor_kib:.1f} KiB"
        )
        console.print(
            f"{each.engine}, {each.renewed.handshakes:,} handshakes at {each.renewed.per_second:.0f} per second while "
            f"{each.renewed.certificates} certificates followed each other: {each.renewed.lost} lost"
        )


def print_relays(results: Results, console: Console) -> None:
    """What relays cost, and how many times as much that of each engine costs."""
    if not results.relays:
        return
    table = Table(
        title="Relays: CPU, added latency (p50 at 1,000 round trips/s) and user memory of an idle connection",
        caption="ours: how many times that CALLBACK and COROUTINE take, median of the rounds",
    )
    table.add_column("relay", no_wrap=True)
    for heading in ("µs/round trip", "ours, ×", "µs/MiB", "ours, ×", "added, µs", "idle, KiB"):
        table.add_column(heading, justify="right")
    titles = {proxy.key: proxy.title for proxy in PROXIES}
    for each in results.relays:
        idle = "–" if each.idle_kib is None else f"{each.idle_kib:.2f}"
        table.add_row(
            titles[each.relay],
            spread_cell(each.round_trip, 2),
            relay_ratios(results, each, lambda relayed: relayed.round_trip),
            spread_cell(each.mib, 0),
            relay_ratios(results, each, lambda relayed: relayed.mib),
            spread_cell(each.added, 0),
            idle,
        )
    console.print(table)


def spread_cell(spread: Spread, digits: int) -> str:
    """A median with its least and its greatest."""
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f}–{spread.greatest:.{digits}f})"


def relay_ratios(results: Results, baseline: Relayed, cost: Callable[[Relayed], Spread]) -> str:
    """How many times as much the relay of each engine takes."""
    ours = (each for each in results.relays if each.relay in ENGINES)
    return ", ".join(f"{ratio_of_rounds(cost(each), cost(baseline)).median:.2f}" for each in ours)


def print_toxics(results: Results, console: Console) -> None:
    """How long calls of Toxiproxy's API take, in a line for each engine."""
    for each in results.toxics:
        added, removed = (
            f"{1000 * spread.median:.1f} ms (p99 {1000 * percentile(spread.samples, 0.99):.1f})"
            for spread in (each.added, each.removed)
        )
        console.print(
            f"{each.engine}, Toxiproxy's API with {each.workers} workers: a toxic is added in {added} and removed in "
            f"{removed}; p99 of live round trips {each.p99_ms:.2f} ms, without changes {each.calm_p99_ms:.2f} ms"
        )


def print_kills(kills: Kills, console: Console) -> None:
    """What became of the connections, in a line."""
    console.print(
        f"{kills.kills} workers killed at {kills.connections_per_second:,.0f} connections/s:"
        f" {kills.answered:,} answered, {kills.failed} failed, {kills.crashed} crashed in the metrics"
    )


def verdict_table(results: Results) -> Table:
    """Every figure, met or missed."""
    table = Table(title="Figures")
    for heading in ("figure", "at most", "measured", ""):
        table.add_column(heading, justify="left" if heading in {"figure", ""} else "right")
    for verdict in results.verdicts:
        measured = "not measured" if verdict.measured is None else f"{verdict.measured:.2f} {verdict.unit}".strip()
        word = "[green]met[/]" if verdict.met else "[red]missed[/]"
        table.add_row(verdict.figure, f"{verdict.limit:g} {verdict.unit}".strip(), measured, word)
    return table
