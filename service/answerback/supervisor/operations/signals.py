"""The signals between scripts: who waits longest for each, in all workers, and how many are kept."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from answerback.internal.v1.link_pb2 import Command, GrantSignals, SignalNews
from answerback.language.rules import scripts
from answerback.supervisor.errors import NoSuchSignal
from answerback.supervisor.status import SignalStatus
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerProcess
from answerback.v1 import config_pb2 as v1

# Rule: a signal that was granted counts as given to that wait only when its worker says so; if the worker dies before,
#       or the connection has ended, it is given again.
# Rule: memory is bounded by the waits of open connections, by MAX_NAMES, and by the names in the active configuration.

MAX_KEPT: Final = 10_000  # signals of one name
MAX_NAMES: Final = 1000  # names kept before those are dropped that the configuration does not contain

Place = tuple[WorkerProcess, int]
"""A wait: the worker, and the number that it gave the wait."""


@dataclass(slots=True)
class _Gift:
    """Signals that were given at once, until it is known whether each has ended a wait or is kept."""

    woken: int = 0
    in_flight: int = 0
    """How many were granted to waits, and are neither taken nor returned."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def granted(self) -> None:
        """One was granted to a wait."""
        self.in_flight += 1

    def landed(self, *, taken: bool) -> None:
        """One was taken, or returned; what was returned may have been granted again before."""
        self.woken += taken
        self.in_flight -= 1
        self.settle()

    def settle(self) -> None:
        """Note whether all is known."""
        if not self.in_flight:
            self.settled.set()


@dataclass(slots=True)
class _Grant:
    """A signal on its way to a wait."""

    signal: str
    gift: _Gift | None = None
    cleared: bool = False
    """Whether it is dropped if it is returned."""


class Signals:
    """Brings signals and waits together."""

    def __init__(self, pool: WorkerPool, config: Callable[[], v1.Config]) -> None:
        """`config`: the active configuration."""
        self._config = config
        self._named: tuple[v1.Config | None, frozenset[str]] = None, frozenset()  # of the last configuration looked at
        self._waiting: dict[str, dict[Place, None]] = {}  # the longest wait first
        self._names: dict[Place, str] = {}
        self._granted: dict[Place, _Grant] = {}
        self._kept: Counter[str] = Counter()
        self._known: set[WorkerProcess] = set()
        pool.on_signal_news = self._news

    async def give(self, name: str, count: int = 1) -> tuple[int, int]:
        """Give a signal `count` times; return how many waits that ended, and how many signals of the name are kept.

        A signal that reaches a wait too late is given to the next one, or kept: the result is known when each signal
        has ended a wait, or is kept. Raises NoSuchSignal if the active configuration does not contain it.
        """
        if name not in self._names_in_config():
            raise NoSuchSignal(name)
        gift = _Gift()
        self._give(name, count, gift)
        gift.settle()
        await gift.settled.wait()
        return gift.woken, self._kept[name]

    def clear(self) -> None:
        """Forget the signals that are kept, and those that come back from waits that had ended."""
        self._kept.clear()
        for grant in self._granted.values():
            grant.cleared = True

    def status(self) -> list[SignalStatus]:
        """Return the signals that are waited for or kept, by name."""
        names = sorted({*self._waiting, *(name for name, kept in self._kept.items() if kept)})
        return [SignalStatus(name, len(self._waiting.get(name, ())), self._kept[name]) for name in names]

    def _give(self, name: str, count: int, gift: _Gift | None = None) -> None:
        """Give a signal to those that wait longest; keep what is left."""
        woken: dict[WorkerProcess, list[int]] = {}
        waiting = self._waiting.get(name, {})
        ended = 0
        while ended < count and waiting:
            place = next(iter(waiting))
            self._remove(place)
            self._grant(place, name, gift)
            woken.setdefault(place[0], []).append(place[1])
            ended += 1
        if ended < count:
            self._keep(name, count - ended)
        for process, waits in woken.items():
            _tell(process, waits)

    def _grant(self, place: Place, name: str, gift: _Gift | None = None) -> None:
        self._granted[place] = _Grant(name, gift)
        if gift is not None:
            gift.granted()

    def _keep(self, name: str, count: int) -> None:
        if len(self._kept) >= MAX_NAMES and name not in self._kept:
            known = self._names_in_config()
            self._kept = Counter({each: kept for each, kept in self._kept.items() if kept and each in known})
        self._kept[name] = min(self._kept[name] + count, MAX_KEPT)

    def _names_in_config(self) -> frozenset[str]:
        config = self._config()
        if self._named[0] is not config:
            self._named = config, frozenset(_names(config))
        return self._named[1]

    def _news(self, process: WorkerProcess, news: SignalNews) -> None:
        if process not in self._known:
            self._known.add(process)
            process.exited.add_done_callback(lambda _: self._forget(process))
        granted = []
        for act in news.acts:
            match act.WhichOneof("kind"):
                case "wait":
                    place = process, act.wait.wait
                    if self._kept[act.wait.signal]:
                        self._kept[act.wait.signal] -= 1
                        self._grant(place, act.wait.signal)
                        granted.append(act.wait.wait)
                    else:
                        self._waiting.setdefault(act.wait.signal, {})[place] = None
                        self._names[place] = act.wait.signal
                case "gave_up":
                    self._remove((process, act.gave_up))
                case "taken":
                    self._landed((process, act.taken), taken=True)
                case "returned":
                    self._landed((process, act.returned), taken=False)
                case "gift":
                    self._give(act.gift.signal, act.gift.count)
        if granted:
            _tell(process, granted)

    def _remove(self, place: Place) -> None:
        name = self._names.pop(place, None)
        if name is not None:
            del self._waiting[name][place]
            if not self._waiting[name]:
                del self._waiting[name]

    def _landed(self, place: Place, *, taken: bool) -> None:
        """A wait has taken the signal that it was granted, or returned it: then it is for the next one."""
        grant = self._granted.pop(place, None)
        if grant is None:
            return
        if not taken and not grant.cleared:
            self._give(grant.signal, 1, grant.gift)
        if grant.gift is not None:
            grant.gift.landed(taken=taken)

    def _forget(self, process: WorkerProcess) -> None:
        """A worker has exited: its waits are over, and signals granted to them are for others."""
        self._known.discard(process)
        for place in [place for place in self._names if place[0] is process]:
            self._remove(place)
        for place in [place for place in self._granted if place[0] is process]:
            self._landed(place, taken=False)


def _tell(process: WorkerProcess, waits: Iterable[int]) -> None:
    """Tell a worker; one that is exiting gives its signals back when it has."""
    if not process.exited.done():
        process.tell(Command(grant_signals=GrantSignals(waits=waits)))


def _names(config: v1.Config) -> Iterator[str]:
    """Yield the names of the signals in a configuration."""
    for listener in config.listeners:
        for rule in listener.rules:
            for step in chain.from_iterable(script for _, script in scripts(rule, "")):
                if step.HasField("wait"):
                    yield step.wait.signal
                elif step.HasField("signal"):
                    yield step.signal
