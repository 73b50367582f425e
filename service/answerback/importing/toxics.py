"""Toxics of Toxiproxy as faults of a listener with an upstream."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from answerback.importing.outcome import Notes, Part
from answerback.importing.source import Value

# Rule: a toxic is tossed for once per connection, so a toxicity below 1 is a probability with `target: CONNECTION`.
# Rule: the bytes of `limit_data` and the time of `timeout` are those of a connection, so their target is that too.

Fault = dict[str, Any]
Number = Callable[[str], int]
"""An attribute of a toxic by its name."""

DIRECTIONS: Final = {"downstream": "TO_PEER", "upstream": "FROM_PEER"}
_KNOWN: Final = frozenset(("name", "type", "stream", "toxicity", "attributes"))


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The attributes of a toxic; one that is not given is 0, as in Toxiproxy."""

    given: Mapping[str, Value]

    def number(self, name: str) -> int:
        """A whole number, 0 or more. Raises Unfit."""
        if name not in self.given:
            return 0
        found = self.given[name].integer()
        if found < 0:
            raise self.given[name].unfit("Toxiproxy needs a number that is not negative")
        return found


def fault(toxic: Value, notes: Notes) -> Part:
    """The fault that a toxic is. Raises Unfit."""
    fields = toxic.fields()
    kind = fields["type"].text() if "type" in fields else ""
    if kind not in _KINDS:
        raise fields.get("type", toxic).unfit(f"Toxiproxy has no toxic {kind!r}: {', '.join(_KINDS)} are known")
    for name, value in fields.items():
        if name not in _KNOWN:
            notes.add(value.problem(f"Toxiproxy has no field {name!r} of a toxic: it is ignored"))
    attributes = fields["attributes"].fields() if "attributes" in fields else {}
    found = fault_of(kind, _Attributes(attributes).number)
    stream = fields["stream"].text() if "stream" in fields else "downstream"
    if stream not in DIRECTIONS:
        raise fields["stream"].unfit(f"a stream is upstream or downstream, not {stream!r}")
    toxicity = fields["toxicity"].number() if "toxicity" in fields else 1.0
    if toxicity < 1:
        found |= {"probability": toxicity, "target": "CONNECTION"}
    name = fields["name"].text() if "name" in fields else ""
    return Part({"name": name or f"{kind}_{stream}", "direction": DIRECTIONS[stream]} | found, toxic)


def fault_of(kind: str, number: Number) -> Fault:
    """The fault of a toxic of a known type, as in YAML, but for its name and direction."""
    return _KINDS[kind](number)


def _latency(number: Number) -> Fault:
    latency, jitter = number("latency"), number("jitter")
    if not jitter:
        return {"latency": f"{latency}ms"}
    return {"latency": {"uniform": {"min": f"{latency - jitter}ms", "max": f"{latency + jitter}ms"}}}


def _bandwidth(number: Number) -> Fault:
    rate = number("rate")
    if not rate:
        return {"hang": {}}
    return {"bandwidth": {"bytes_per_second": 1000 * rate}}


def _slicer(number: Number) -> Fault:
    size = {"size": number("average_size"), "variation": number("size_variation")}
    return {"slice": size | {"gap": f"{number('delay')}us"}}


def _limit_data(number: Number) -> Fault:
    return {"truncate": {"bytes": number("bytes")}, "target": "CONNECTION"}


def _reset_peer(number: Number) -> Fault:
    return {"reset": {"after": f"{number('timeout')}ms", "discard": True}}


def _timeout(number: Number) -> Fault:
    return {"blackhole": {"close_after": f"{number('timeout')}ms"}, "target": "CONNECTION"}


def _slow_close(number: Number) -> Fault:
    return {"slow_close": {"delay": f"{number('delay')}ms"}}


_KINDS: Final[Mapping[str, Callable[[Number], Fault]]] = {
    "latency": _latency,
    "bandwidth": _bandwidth,
    "slow_close": _slow_close,
    "timeout": _timeout,
    "slicer": _slicer,
    "limit_data": _limit_data,
    "reset_peer": _reset_peer,
}
