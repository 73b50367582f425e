"""The figures that Answerback promises, and whether a run met them."""

# Rule: a figure that was asked for and could not be measured is not met.

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bench.results import Results, Verdict

KIB = 1024


@dataclass(frozen=True, slots=True)
class Figure:
    """A promise: ``measure`` finds its value in the results, and at most ``limit`` is kept."""

    title: str
    part: str  # the mode, `memory` or `start`: what has to be run for it
    limit: float
    unit: str
    measure: Callable[[Results], float | None]


def ratio(subject: str, baseline: str, mode: str) -> Callable[[Results], float | None]:
    """The median ratio of two contenders in a mode."""

    def measure(results: Results) -> float | None:
        wanted = (subject, baseline, mode)
        found = (each for each in results.comparisons if (each.subject, each.baseline, each.mode) == wanted)
        return next((each.ratio.median for each in found), None)

    return measure


def kib_per_connection(contender: str) -> Callable[[Results], float | None]:
    """The greater of what a silent and an answered idle connection cost, in KiB."""

    def measure(results: Results) -> float | None:
        return next((each.greater_bytes / KIB for each in results.memory if each.contender == contender), None)

    return measure


def milliseconds_to_first_beat(results: Results) -> float | None:
    """The median time of a worker from exec to first beat."""
    return None if results.start is None else results.start.first_beat.median * 1000


FIGURES = (
    Figure("CALLBACK / C floor, persistent", "persistent", 1.6, "×", ratio("callback", "floor", "persistent")),
    Figure("CALLBACK / C floor, one-shot", "one-shot", 1.6, "×", ratio("callback", "floor", "one-shot")),
    Figure("CALLBACK / C floor, pipelined", "pipelined", 3.0, "×", ratio("callback", "floor", "pipelined")),
    Figure(
        "COROUTINE / asyncio streams, persistent",
        "persistent",
        0.95,
        "×",
        ratio("coroutine", "streams", "persistent"),
    ),
    Figure("COROUTINE / asyncio streams, one-shot", "one-shot", 0.95, "×", ratio("coroutine", "streams", "one-shot")),
    Figure("CALLBACK, idle connection", "memory", 2.5, "KiB", kib_per_connection("callback")),
    Figure("COROUTINE, idle connection", "memory", 6.0, "KiB", kib_per_connection("coroutine")),
    Figure("worker, exec to first beat", "start", 300.0, "ms", milliseconds_to_first_beat),
)


def judge(results: Results, parts: Collection[str]) -> list[Verdict]:
    """Judge every figure that belongs to the parts that were asked for."""
    return [
        Verdict(figure.title, figure.limit, figure.unit, figure.measure(results))
        for figure in FIGURES
        if figure.part in parts
    ]
