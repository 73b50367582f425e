"""The targets of Answerback, and whether a run met them."""

# Rule: a figure that was asked for and could not be measured is not met.

from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import attrgetter

from bench.results import Fixture, Kills, Readers, Relayed, Results, Ruled, Verdict
from bench.stats import Spread, ratio_of_rounds

KIB = 1024


@dataclass(frozen=True, slots=True)
class Figure:
    """A promise: ``measure`` finds its value in the results, and at most ``limit`` is kept.

    ``parts`` are those any of which it belongs to; ``needs`` are the contenders it is about.
    """

    title: str
    limit: float
    unit: str
    parts: Collection[str]
    needs: Collection[str]
    measure: Callable[[Results], float | None]


def ratio(title: str, subject: str, baseline: str, mode: str, limit: float) -> Figure:
    """At most ``limit`` times the baseline's CPU per request: the median of the pairs."""

    def measure(results: Results) -> float | None:
        wanted = (subject, baseline, mode)
        found = (each for each in results.comparisons if (each.subject, each.baseline, each.mode) == wanted)
        return next((each.ratio.median for each in found), None)

    return Figure(f"{title}, {mode}", limit, "×", (mode,), (subject, baseline), measure)


def idle_connection(title: str, contender: str, limit: float) -> Figure:
    """At most ``limit`` KiB for an idle connection, silent or answered, whichever costs more."""

    def measure(results: Results) -> float | None:
        return next((each.greater_bytes / KIB for each in results.memory if each.contender == contender), None)

    return Figure(f"{title}, idle connection", limit, "KiB", ("memory",), (contender,), measure)


def first_beat_ms(results: Results) -> float | None:
    """The median time of a worker from exec to first beat."""
    return None if results.start is None else results.start.first_beat.median * 1000


def fixture(title: str, limit_ms: float, measure: Callable[[Fixture], float]) -> Figure:
    """At most ``limit_ms`` for a step of the fixtures for tests."""

    def found(results: Results) -> float | None:
        return None if results.fixture is None else measure(results.fixture) * 1000

    return Figure(f"fixture, {title}", limit_ms, "ms", ("fixture",), ("callback",), found)


def killed(title: str, limit: float, measure: Callable[[Kills], float], unit: str = "") -> Figure:
    """At most ``limit`` of something while workers are killed."""

    def found(results: Results) -> float | None:
        return None if results.kills is None else measure(results.kills)

    return Figure(title, limit, unit, ("kill",), ("callback",), found)


def ruled(title: str, limit: float, unit: str, kind: str, measure: Callable[[Ruled], float]) -> Figure:
    """At most ``limit`` of what many rules of a kind cost beside one."""

    def found(results: Results) -> float | None:
        return next((measure(each) for each in results.rules if each.kind == kind), None)

    return Figure(title, limit, unit, ("rules",), ("callback",), found)


def journaled(mode: str, limit: float) -> Figure:
    """At most ``limit`` µs that the journal adds to a request."""

    def found(results: Results) -> float | None:
        return next((each.more.median for each in results.journal if each.mode == mode), None)

    return Figure(f"journal on, beyond off, {mode}", limit, "µs", ("journal",), ("callback",), found)


def read(title: str, limit: float, unit: str, measure: Callable[[Readers], float]) -> Figure:
    """At most ``limit`` of what a reader of the journal costs."""

    def found(results: Results) -> float | None:
        return None if results.readers is None else measure(results.readers)

    return Figure(title, limit, unit, ("readers",), ("callback",), found)


def fair(engine: str, attackers: int, limit_ms: float) -> Figure:
    """The maximum wait of 99 of 100 requests of well-behaved clients beside a number of attackers."""

    def found(results: Results) -> float | None:
        wanted = (engine, attackers)
        return next((each.p99_ms for each in results.fairness if (each.engine, each.attackers) == wanted), None)

    title = f"{engine.upper()}, p99 of others beside {attackers} attacker{'s' * (attackers > 1)}"
    return Figure(title, limit_ms, "ms", ("fairness",), (engine,), found)


def ticking(engine: str, limit: float) -> Figure:
    """At most this part of a core, in percent, for a tick a second on each of many connections."""

    def found(results: Results) -> float | None:
        return next((each.cores * 100 for each in results.ticks if each.engine == engine), None)

    title = f"{engine.upper()}, a tick a second on 10,000 connections"
    return Figure(title, limit, "% of a core", ("ticks",), (engine,), found)


def relay_cost(engine: str, baseline: str, work: str, cost: Callable[[Relayed], Spread], limit: float) -> Figure:
    """At most ``limit`` times the CPU of another relay, the median of the rounds."""

    def found(results: Results) -> float | None:
        relays = {each.relay: cost(each) for each in results.relays}
        if not {engine, baseline} <= set(relays):
            return None
        return ratio_of_rounds(relays[engine], relays[baseline]).median

    return Figure(f"{engine.upper()} / {baseline}, {work}", limit, "×", ("relay",), (engine,), found)


def relay_figure(
    engine: str, title: str, limit: float, unit: str, measure: Callable[[Relayed], float | None]
) -> Figure:
    """At most ``limit`` of what a relay of an engine takes."""

    def found(results: Results) -> float | None:
        return next((measure(each) for each in results.relays if each.relay == engine), None)

    return Figure(f"{engine.upper()}, {title}", limit, unit, ("relay",), (engine,), found)


def relay_figures(engine: str) -> tuple[Figure, ...]:
    """What is wanted of the relay of an engine."""
    return (
        relay_cost(engine, "uvloop", "round trip relayed", lambda each: each.round_trip, 1.3),
        relay_cost(engine, "uvloop", "MiB relayed", lambda each: each.mib, 1.3),
        relay_cost(engine, "haproxy", "round trip relayed", lambda each: each.round_trip, 2.5),
        relay_cost(engine, "haproxy", "MiB relayed", lambda each: each.mib, 2.5),
        relay_figure(engine, "latency added by a relay", 150.0, "µs", lambda each: each.added.median),
        relay_figure(engine, "idle connection relayed", 4.0, "KiB", lambda each: each.idle_kib),
    )


FIGURES = (
    ratio("CALLBACK / C floor", "callback", "floor", "persistent", 1.6),
    ratio("CALLBACK / C floor", "callback", "floor", "one-shot", 1.6),
    ratio("CALLBACK / C floor", "callback", "floor", "pipelined", 3.0),
    ratio("COROUTINE / asyncio streams", "coroutine", "streams", "persistent", 0.95),
    ratio("COROUTINE / asyncio streams", "coroutine", "streams", "one-shot", 0.95),
    ratio("COROUTINE / original asyncio streams", "coroutine", "streams-original", "one-shot", 0.95),
    idle_connection("CALLBACK", "callback", 2.5),
    idle_connection("COROUTINE", "coroutine", 6.0),
    Figure("worker, exec to first beat", 300.0, "ms", ("start",), ("callback",), first_beat_ms),
    fixture("server ready", 1000.0, lambda each: each.ready.median),
    fixture("last of four servers ready", 2000.0, lambda each: each.four_ready.median),
    fixture("further listener, median", 10.0, lambda each: each.listen.median),
    fixture("further listener, p95", 25.0, lambda each: each.listen_p95),
    ruled("1,000 exact rules / one", 1.2, "×", "exact", lambda each: each.ratio.median),
    ruled("50 regex rules, beyond one", 10.0, "µs", "regex", lambda each: each.more.median),
    ruled("expr of a slice / prefix", 1.03, "×", "expr of a slice", lambda each: each.ratio.median),
    Figure("expr of a slice / prefix, by itself", 1.3, "×", ("rules",), ("callback",), attrgetter("expr_alone")),
    ruled("five values / a constant, beyond", 12.0, "µs", "template of five values", lambda each: each.more.median),
    ruled("one shared variable / a constant, beyond", 5.0, "µs", "one shared variable", lambda each: each.more.median),
    ruled("add / a constant, beyond", 15.0, "µs", "add", lambda each: each.more.median),
    ruled("times for each peer / for all, beyond", 4.0, "µs", "times for each peer", lambda each: each.more.median),
    journaled("persistent", 1.0),
    journaled("one-shot", 2.0),
    journaled("pipelined", 1.0),
    Figure(
        "journal, merging 10,000 exchanges",
        100.0,
        "ms",
        ("journal",),
        ("callback",),
        lambda results: None if results.merged is None else results.merged.seconds.median * 1000,
    ),
    read("p99 of clients while 10,000 exchanges are merged / alone", 1.1, "×", lambda each: each.merging.together),
    read("p99 of clients beside a watcher that never reads / alone", 1.1, "×", lambda each: each.deaf.together),
    read("memory of the supervisor for a watcher that never reads", 1024.0, "KiB", lambda each: each.deaf_kib.median),
    fair("callback", 1, 20.0),
    fair("callback", 60, 100.0),
    fair("coroutine", 1, 20.0),
    fair("coroutine", 60, 100.0),
    ticking("callback", 25.0),
    ticking("coroutine", 25.0),
    *relay_figures("callback"),
    *relay_figures("coroutine"),
    killed(
        "workers killed: µs from connection to connection", 500.0, lambda each: 1e6 / each.connections_per_second, "µs"
    ),
    killed("workers killed: failures beyond crashed + 1 a kill", 0, lambda each: each.lost),
    killed("workers killed: kills that crashed nothing", 0, lambda each: 0 if each.crashed else each.kills),
    killed("workers killed: connections astray", 0, lambda each: each.astray),
    Figure(
        "books after the load: connections astray",
        0,
        "",
        ("persistent", "one-shot", "pipelined"),
        ("callback", "coroutine"),
        lambda results: results.books_astray,
    ),
)


def judge(results: Results, parts: Collection[str], contenders: Collection[str]) -> list[Verdict]:
    """Judge every figure that the parts and contenders asked for have to do with."""
    return [
        Verdict(figure.title, figure.limit, figure.unit, figure.measure(results))
        for figure in FIGURES
        if set(figure.parts) & set(parts) and set(figure.needs) <= set(contenders)
    ]
