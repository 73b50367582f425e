"""Memory and descriptors over time, and whether they grow."""

# Rule: a slope is judged with its uncertainty: what cannot be told from noise is flat.

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf, sqrt
from pathlib import Path
from statistics import fmean
from time import monotonic

BLOCK_SECONDS = 10.0  # neighbouring measurements are alike: the mean of so long counts as one
SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process had at a time."""

    time: float
    memory: float
    """MiB that are its own: anonymous, and shared ones that it has touched."""
    descriptors: int


def measure(pid: int) -> Sample | None:
    """Of a process; None if there is none (any more)."""
    with suppress(OSError, ValueError, KeyError):  # a zombie has no memory
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        own = sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem"))
        return Sample(monotonic(), own / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())))
    return None


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth per hour, and its standard error."""

    per_hour: float
    error: float

    @property
    def least(self) -> float:
        """What it is at the least."""
        return self.per_hour - SIGMAS * self.error


def slope(series: Iterable[Sequence[tuple[float, float]]]) -> Slope:
    """The common slope of several series (time in seconds, value), each with a level of its own."""
    pairs: list[tuple[float, float]] = []
    groups = 0
    for one in series:
        blocks = _blocks(one)
        if len(blocks) < 2:
            continue
        groups += 1
        mean_time, mean_value = fmean(time for time, _ in blocks), fmean(value for _, value in blocks)
        pairs += [(time - mean_time, value - mean_value) for time, value in blocks]
    free = len(pairs) - groups - 1
    spread = sum(time * time for time, _ in pairs)
    if free < 1 or not spread:
        return Slope(0.0, inf)
    rate = sum(time * value for time, value in pairs) / spread
    rest = sum((value - rate * time) ** 2 for time, value in pairs)
    return Slope(3600 * rate, 3600 * sqrt(rest / free / spread))


def _blocks(series: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of blocks of time."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for time, value in series:
        blocks.setdefault(int(time / BLOCK_SECONDS), []).append((time, value))
    return [(fmean(time for time, _ in each), fmean(value for _, value in each)) for each in blocks.values()]


class Measurements:
    """Of a supervisor and all its workers, while a campaign goes on."""

    def __init__(self, supervisor: int) -> None:
        self.supervisor = supervisor
        self.samples: dict[int, list[Sample]] = {}

    async def go_on(self, every: float = 0.5) -> None:
        """Measure until cancelled."""
        while True:
            for pid in [self.supervisor, *children(self.supervisor)]:
                if sample := measure(pid):
                    self.samples.setdefault(pid, []).append(sample)
            await asyncio.sleep(every)

    def slopes(self, warm_up: float, young: float) -> dict[str, Slope]:
        """Growth of the supervisor once `warm_up` seconds are over, and of workers older than `young` seconds."""
        begin = min(samples[0].time for samples in self.samples.values())
        workers = {pid: samples for pid, samples in self.samples.items() if pid != self.supervisor}
        own = [each for each in self.samples[self.supervisor] if each.time >= begin + warm_up]
        grown = [[each for each in one if each.time >= one[0].time + young] for one in workers.values()]
        return {
            "supervisor memory": slope([[(each.time, each.memory) for each in own]]),
            "supervisor descriptors": slope([[(each.time, float(each.descriptors)) for each in own]]),
            "worker memory": slope([[(each.time, each.memory) for each in one] for one in grown]),
            "worker descriptors": slope([[(each.time, float(each.descriptors)) for each in one] for one in grown]),
        }

    def most_memory(self) -> float:
        """MiB, of any of them at any time."""
        return max(each.memory for samples in self.samples.values() for each in samples)


def children(pid: int) -> list[int]:
    """The processes that it has started."""
    with suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(each) for task in tasks for each in (task / "children").read_text().split()]
    return []
