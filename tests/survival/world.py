"""The listeners that exist, existed and may exist, by time: the reference for the observations of clients.

Each version of a listener has a mark of its own, which its replies carry at both ends. A version counts as possible
from the moment at which the change that brings it was asked for, until the change that replaces it has been answered.
What one client saw must be what one possible version says.
"""

# Rule: all times are those of time.monotonic.

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic
from typing import Any

TIMED_FAULTS: dict[str, dict[str, Any]] = {
    "latency": {"latency": {"fixed": "5ms"}},
    "slice": {"slice": {"size": 7, "gap": "1ms"}},
    "bandwidth": {"bandwidth": {"bytes_per_second": 20_000}},
    "slow_close": {"slow_close": {"delay": "20ms"}},
}
"""Faults that change when something comes, and not what."""
LOSING_FAULTS: dict[str, dict[str, Any]] = {
    "truncate": {"probability": 0.2, "truncate": {"bytes": 9}},
    "reset": {"probability": 0.2, "reset": {}},
    "hang": {"probability": 0.2, "hang": {}},
    "drop": {"probability": 0.2, "drop": {}},
    "corrupt": {"probability": 0.2, "corrupt": {"bytes": 1}},
}
FAULTS = TIMED_FAULTS | LOSING_FAULTS
LIMITS: dict[str, dict[str, Any]] = {
    "": {},
    "idle": {"idle_timeout": "300ms"},
    "few": {"max_connections": 3},
    "short": {"lifetime": "400ms"},
    "large": {"max_request_bytes": 4096},
}


# Small, so that it is full before memory is measured: it grows to its bound, and no further.
JOURNAL = {"entries": 1000, "bytes": 1 << 20}


@dataclass(frozen=True, slots=True)
class Version:
    """A listener, as one configuration has it."""

    identity: int
    """The same for all versions of a listener; a new one if it is removed and made again."""
    name: str
    address: str
    mark: str
    engine: str = "CALLBACK"
    accept: str = "NORMAL"
    faults: tuple[str, ...] = ()
    limits: str = ""
    file: str = ""
    """The payload file that a reply contains; its content is the mark."""

    def reply(self, request: bytes) -> bytes:
        """What it answers to a request, without its ending."""
        mark = self.mark.encode()
        middle = b" " + mark if self.file else b""
        return b"<%b %b%b %b>\n" % (mark, request, middle, mark)

    def configured(self) -> dict[str, Any]:
        """The listener of a configuration."""
        sends: list[dict[str, Any]] = [{"send": {"template": f"<{self.mark} ${{request}}"}}]
        last = {"send": f" {self.mark}>\n"}
        if self.file:
            sends += [{"send": " "}, {"send": {"file": self.file}}]
        return {
            "name": self.name,
            "address": self.address,
            "framing": "line",
            "engine": self.engine,
            "accept": self.accept,
            "limits": LIMITS[self.limits],
            "faults": [FAULTS[fault] for fault in self.faults],
            "rules": [
                {"name": "ask", "when": {"prefix": "ask "}, "do": [*sends, last]},
                {"name": "same", "when": "same", "do": [{"send": f"<{self.mark} same"}, *sends[1:], last]},
            ],
        }


@dataclass(slots=True, eq=False)
class Period:
    """When a version was possible."""

    version: Version
    begin: float
    end: float = inf
    gone: float = inf
    """When the removal of the listener was asked for."""

    def overlaps(self, begin: float, end: float) -> bool:
        return self.begin <= end and begin <= self.end


@dataclass(slots=True, eq=False)
class Window:
    """A time in which something was done to connections."""

    what: str
    begin: float
    end: float = inf
    listener: str = ""
    """Which it concerned; empty for all."""

    def overlaps(self, begin: float, end: float) -> bool:
        return self.begin <= end and begin <= self.end


@dataclass
class World:
    """All versions, and all that was done."""

    periods: list[Period] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    current: dict[str, Version] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    """Marks of rejected changes: no client may ever have seen them."""

    def propose(self, wanted: dict[str, Version]) -> "Proposal":
        """A change to these listeners is asked for now."""
        return Proposal(self, wanted)

    def text(self, wanted: Iterable[Version] | None = None) -> str:
        """The configuration; JSON is YAML."""
        versions = self.current.values() if wanted is None else wanted
        listeners = [version.configured() for version in versions]
        return json.dumps({"journal": JOURNAL, "listeners": listeners}, indent=1)

    def at(self, address: str, begin: float, end: float) -> set[int]:
        """The listeners that may have been at an address."""
        periods = (each for each in self.periods if each.version.address == address)
        return {each.version.identity for each in periods if each.overlaps(begin, end)}

    def possible(self, identities: set[int], begin: float, end: float) -> Iterator[Period]:
        """The versions of listeners that may have been active."""
        return (each for each in self.periods if each.version.identity in identities and each.overlaps(begin, end))

    def open_window(self, what: str, listener: str = "") -> Window:
        """Something is done from now on, until its end is set."""
        window = Window(what, monotonic(), listener=listener)
        self.windows.append(window)
        return window

    def forget(self, before: float) -> None:
        """What was over by then."""
        self.periods = [each for each in self.periods if each.end >= before]
        self.windows = [each for each in self.windows if each.end >= before]

    def done(self, begin: float, end: float, names: set[str]) -> set[str]:
        """What was done meanwhile that concerns listeners of these names."""
        return {
            window.what
            for window in self.windows
            if window.overlaps(begin, end) and (not window.listener or window.listener in names)
        }


class Proposal:
    """A change that has been asked for."""

    def __init__(self, world: World, wanted: dict[str, Version]) -> None:
        self.world, self.wanted = world, wanted
        now = monotonic()
        former = {version.identity: version for version in world.current.values()}
        latter = {version.identity: version for version in wanted.values()}
        self.new = [Period(version, now) for version in wanted.values() if former.get(version.identity) != version]
        self.replaced = [
            period
            for period in world.periods
            if period.end == inf and latter.get(period.version.identity) != period.version
        ]
        for period in self.replaced:
            if period.version.identity not in latter:
                period.gone = now
        world.periods += self.new

    def taken(self) -> None:
        """It is active from here on."""
        now = monotonic()
        for period in self.replaced:
            period.end = now
        self.world.current = dict(self.wanted)

    def refused(self) -> None:
        """It never was."""
        for period in self.new:
            self.world.periods.remove(period)
            self.world.forbidden.add(period.version.mark)
        for period in self.replaced:
            period.gone = inf
        current = {version.mark for version in self.world.current.values()}
        self.world.forbidden -= current | {period.version.mark for period in self.world.periods}


def renewed(version: Version, mark: str, **changes: Any) -> Version:
    """The next version of a listener."""
    return replace(version, mark=mark, **changes)
