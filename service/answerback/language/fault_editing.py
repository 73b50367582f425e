"""A configuration with one fault more or less, or without the faults whose time has passed."""

# Rule: the given configuration is never changed; the result is a copy.

from collections.abc import Iterator
from itertools import count
from typing import Final

from answerback.language import timestamps
from answerback.language.editing import NoSuchListener, copied, index_of
from answerback.language.faults import fault_key
from answerback.language.problems import quoted
from answerback.v1 import config_pb2 as v1

UNNAMED: Final = "fault"  # how a fault without a kind is named; the check rejects it


class NoSuchFault(Exception):
    """The listener has no fault of the name."""

    def __init__(self, listener: str, name: str) -> None:
        super().__init__(f"listener {quoted(listener)} has no fault {quoted(name)}")
        self.name = name


class FaultExists(Exception):
    """The listener has a fault of the name already."""

    def __init__(self, listener: str, name: str) -> None:
        super().__init__(f"listener {quoted(listener)} has a fault {quoted(name)} already")
        self.name = name


def position_of(listener: v1.Listener, key: str) -> int | None:
    """The place of a fault among the listener's faults, by its name or `faults[N]`; None if there is none."""
    return next((index for index, fault in enumerate(listener.faults) if fault_key(fault, index) == key), None)


def named(listener: v1.Listener, fault: v1.Fault) -> str:
    """A fault's name; without one, the first name of its kind that is free: `latency`, `latency-2`."""
    kind = fault.WhichOneof("kind") or UNNAMED
    taken = {each.name for each in listener.faults}
    return fault.name or next(name for n in count(1) if (name := kind if n == 1 else f"{kind}-{n}") not in taken)


def fault_added(config: v1.Config, listener: str, fault: v1.Fault, *, replace: bool = False) -> tuple[v1.Config, int]:
    """The configuration with one more fault, behind the others, and its place.

    `replace`: a fault of the same name is replaced, in its place. Raises NoSuchListener, FaultExists.
    """
    changed, target = _opened(config, listener)
    at = position_of(target, fault.name) if fault.name else None
    if at is not None and not replace:
        raise FaultExists(listener, fault.name)
    added = target.faults.add() if at is None else target.faults[at]
    name = named(target, fault)
    added.CopyFrom(fault)
    added.name = name
    return changed, len(target.faults) - 1 if at is None else at


def fault_removed(config: v1.Config, listener: str, key: str, *, allow_missing: bool = False) -> v1.Config:
    """The configuration without the fault. Raises NoSuchListener and NoSuchFault, unless it may be missing."""
    if allow_missing and index_of(config, listener) is None:
        return copied(config)
    changed, target = _opened(config, listener)
    at = position_of(target, key)
    if at is not None:
        del target.faults[at]
    elif not allow_missing:
        raise NoSuchFault(listener, key)
    return changed


def next_expiry(config: v1.Config) -> int | None:
    """The time at which the next fault expires, in nanoseconds since 1970; None if none does."""
    times = (timestamps.nanoseconds(each.expire_time) for _, _, each in _temporary(config))
    return min(times, default=None)


def expired_faults(config: v1.Config, now: int) -> list[tuple[str, str]]:
    """The faults whose time has passed, as listener and name; `now` in nanoseconds since 1970."""
    return [
        (listener.name, fault_key(fault, index))
        for listener, index, fault in _temporary(config)
        if timestamps.nanoseconds(fault.expire_time) <= now
    ]


def without_expired(config: v1.Config, now: int) -> v1.Config:
    """The configuration without the faults whose time has passed; `now` in nanoseconds since 1970."""
    changed = copied(config)
    for listener in changed.listeners:
        kept = [fault for fault in listener.faults if not _has_expired(fault, now)]
        if len(kept) < len(listener.faults):
            copies = v1.Listener(faults=kept)
            del listener.faults[:]
            listener.faults.extend(copies.faults)
    return changed


def _has_expired(fault: v1.Fault, now: int) -> bool:
    return fault.HasField("expire_time") and timestamps.nanoseconds(fault.expire_time) <= now


def _temporary(config: v1.Config) -> Iterator[tuple[v1.Listener, int, v1.Fault]]:
    for listener in config.listeners:
        for index, fault in enumerate(listener.faults):
            if fault.HasField("expire_time"):
                yield listener, index, fault


def _opened(config: v1.Config, name: str) -> tuple[v1.Config, v1.Listener]:
    """A copy of the configuration, and the listener in it. Raises NoSuchListener."""
    index = index_of(config, name)
    if index is None:
        raise NoSuchListener(name)
    changed = copied(config)
    return changed, changed.listeners[index]
