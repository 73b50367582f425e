"""Which listeners, rules and faults have series: those in the configuration, and recently removed ones.

A removed one keeps its series for REMOVED_SECONDS, so that every scraper reads its last counts. Its cells are not
reused: when it is added again, its counters continue, and no rate sees a reset.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import itemgetter
from time import monotonic
from typing import Final, Generic, TypeVar

from answerback.shared.counters import CounterLayout

# Rule: `configured` is called in the event loop, `shown` in the thread that renders: both take the lock, briefly.

REMOVED_SECONDS: Final = 600.0  # scrapers with an interval of a few minutes have read the last counts by then

N = TypeVar("N", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Shown:
    """The cells of everything that has series, by name."""

    listeners: Mapping[str, int]
    rules: Mapping[tuple[str, str], int]
    unexpected_frames: Mapping[tuple[str, str], int]
    faults: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of everything that a configuration counts."""

    listeners: frozenset[str]
    rules: frozenset[tuple[str, str]]
    """Pairs of listener and rule."""
    expecting: frozenset[tuple[str, str]]
    """Those of rules that compare a received frame with what they expect."""
    faults: frozenset[tuple[str, str]]
    """Pairs of listener and fault."""


class _Kind(Generic[N]):
    """The names of one kind, in the configuration, or removed from it and when."""

    def __init__(self, listener_of: Callable[[N], str]) -> None:
        self._listener_of: Callable[[N], str] = listener_of
        self.configured: frozenset[N] = frozenset()
        self.removed: dict[N, float] = {}

    def configure(self, names: frozenset[N], now: float) -> None:
        self.removed.update(dict.fromkeys(self.configured - names, now))
        for name in names & self.removed.keys():
            del self.removed[name]
        self.configured = names

    def expire(self, busy: Collection[str], now: float, seconds: float) -> None:
        """Forget names removed `seconds` ago, except of listeners in `busy`: those count as removed just now."""
        removed: dict[N, float] = {}
        for name, since in self.removed.items():
            if self._listener_of(name) in busy:
                removed[name] = now
            elif since > now - seconds:
                removed[name] = since
        self.removed = removed

    def placed(self, places: Mapping[N, int]) -> dict[N, int]:
        """Return the cells of the shown names, in the order of assignment: the same at each scrape."""
        shown = (name for name in self.configured | self.removed.keys() if name in places)
        return dict(sorted(((name, places[name]) for name in shown), key=itemgetter(1)))


class Series:
    """Determines which of `places` are shown."""

    def __init__(
        self,
        places: CounterLayout,
        open_at: Callable[[int], int],
        *,
        clock: Callable[[], float] = monotonic,
        seconds: float = REMOVED_SECONDS,
    ) -> None:
        """`open_at`: the number of open connections of the listener at a place; `seconds`: see REMOVED_SECONDS."""
        self._places = places
        self._open_at = open_at
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._listeners: _Kind[str] = _Kind(str)
        self._rules: _Kind[tuple[str, str]] = _Kind(itemgetter(0))
        self._expecting: _Kind[tuple[str, str]] = _Kind(itemgetter(0))
        self._faults: _Kind[tuple[str, str]] = _Kind(itemgetter(0))

    def configured(self, names: Names) -> None:
        """Set the names of the new configuration."""
        now = self._clock()
        with self._lock:
            self._listeners.configure(names.listeners, now)
            self._rules.configure(names.rules, now)
            self._expecting.configure(names.expecting, now)
            self._faults.configure(names.faults, now)

    def shown(self) -> Shown:
        """Return what has series now. The names of a removed listener stay while it has open connections."""
        now, listeners = self._clock(), self._places.listeners
        with self._lock:
            busy = {name for name in self._listeners.removed if self._open_at(listeners[name])}
            self._listeners.expire(busy, now, self._seconds)
            self._rules.expire(busy, now, self._seconds)
            self._expecting.expire(busy, now, self._seconds)
            self._faults.expire(busy, now, self._seconds)
            return Shown(
                self._listeners.placed(listeners),
                self._rules.placed(self._places.rules),
                self._expecting.placed(self._places.unexpected_frames),
                self._faults.placed(self._places.faults),
            )
