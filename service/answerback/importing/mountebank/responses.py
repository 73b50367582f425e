"""Responses to scripts: what a stub answers, one response after another, and from the first one again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from answerback.importing.mountebank.behaviors import Copy, behaviors_of, template
from answerback.importing.mountebank.data import Kind, data_of, payload
from answerback.importing.outcome import Notes
from answerback.importing.source import Unfit, Value

# Rule: a response without an equivalent keeps its turn: its script sends nothing, which is noted.

MOST_SCRIPTS: Final = 1000  # of a stub, with repetitions
GARBAGE: Final = 32  # bytes, of RANDOM_DATA_THEN_CLOSE

Script = list[dict[str, Any] | str]

_FAULTS: Final[dict[str, Script]] = {
    "CONNECTION_RESET_BY_PEER": ["reset"],
    "RANDOM_DATA_THEN_CLOSE": [{"send": {"template": f"${{random({GARBAGE})}}"}}, "close"],
}
_KINDS: Final = ("is", "proxy", "inject", "fault")
_KNOWN: Final = frozenset((*_KINDS, "behaviors", "_behaviors", "repeat"))
_OF_IS: Final = frozenset(("data", "_proxyResponseTime"))


@dataclass(frozen=True, slots=True)
class Answers:
    """The scripts of a stub, each as many times as it is repeated, and what they copy from the request."""

    scripts: Sequence[Script]
    copies: Sequence[Copy]


@dataclass(slots=True)
class Reader:
    """Reads responses of one imposter."""

    notes: Notes
    kind: Kind
    default: bytes = b""
    """What is sent for a response without data."""

    def read_default(self, value: Value) -> None:
        """Read the data of `defaultResponse`; what else it has is noted."""
        try:
            self.default = self._data(value)
        except Unfit as unfit:
            self.notes.add(unfit.problem)

    def unmatched(self) -> Script:
        """What is done for a request that no stub is for."""
        return send(self.default)

    def answers(self, responses: Value) -> Answers:
        """The scripts of a stub's responses. Raises Unfit if there is none."""
        numbers = count(1)
        scripts: list[Script] = []
        copies: list[Copy] = []
        items = responses.items()
        if not items:
            raise responses.unfit("mountebank needs at least one response")
        for response in items:
            script, copied = self._response(response, numbers)
            copies += copied
            times = self._repeat(response) if len(items) > 1 else 1
            if len(scripts) + times > MOST_SCRIPTS:
                times = max(1, MOST_SCRIPTS - len(scripts))
                self.notes.add(response.problem(f"only {times} of its repetitions: a stub has {MOST_SCRIPTS} at most"))
            scripts += [script] * times
            if len(scripts) >= MOST_SCRIPTS and response is not items[-1]:
                self.notes.add(responses.problem(f"those behind the first {MOST_SCRIPTS} are left out"))
                break
        return Answers(scripts, copies)

    def _response(self, response: Value, numbers: Iterator[int]) -> tuple[Script, Sequence[Copy]]:
        try:
            return self._scripted(response, numbers)
        except Unfit as unfit:
            self.notes.add(unfit.problem)
            return [], []

    def _scripted(self, response: Value, numbers: Iterator[int]) -> tuple[Script, Sequence[Copy]]:
        fields = response.fields()
        kinds = [name for name in _KINDS if name in fields]
        if len(kinds) != 1:
            said = " and ".join(kinds) if kinds else "none"
            raise response.unfit(f"a response has one of {', '.join(_KINDS)}, not {said}")
        for name, value in fields.items():
            if name not in _KNOWN:
                self.notes.add(value.problem(f"mountebank has no field {name!r} of a response: it is ignored"))
        kind, given = kinds[0], fields[kinds[0]]
        if kind == "fault":
            return self._fault(given), []
        if kind == "inject":
            raise given.unfit(
                "JavaScript has no equivalent: nothing is sent; write the reply as a template, `send: {template: …}`"
            )
        if kind == "proxy":
            raise given.unfit("no equivalent: nothing is sent; write the replies that the server behind it gives")
        behaviors = behaviors_of(response, numbers, self.notes, self.kind)
        waits: Script = [{"delay": f"{wait}ms"} for wait in behaviors.waits if wait]
        return waits + self.reply(given, behaviors.copies), behaviors.copies

    def _data(self, given: Value) -> bytes:
        """The data of an `is` or a `defaultResponse`."""
        fields = given.fields()
        for name, value in fields.items():
            if name not in _OF_IS:
                self.notes.add(value.problem(f"mountebank sends nothing of {name!r} over TCP: write it in `data`"))
        return data_of(fields["data"], binary=self.kind is Kind.BINARY) if "data" in fields else b""

    def reply(self, given: Value, copies: Sequence[Copy]) -> Script:
        """What sends an `is`. Raises Unfit."""
        data = self._data(given)
        written = template(data.decode(), copies) if data and copies else None
        return send(data or self.default) if written is None else [{"send": {"template": written}}]

    def _fault(self, given: Value) -> Script:
        name = given.text()
        if name not in _FAULTS:
            raise given.unfit(f"mountebank has no fault {name!r}: {' and '.join(_FAULTS)} are known")
        return _FAULTS[name]

    def _repeat(self, response: Value) -> int:
        """How many times a response is sent before the next one."""
        try:
            return _times(response)
        except Unfit as unfit:
            self.notes.add(unfit.problem)
            return 1


def send(data: bytes) -> Script:
    """The script that sends bytes; empty if there are none."""
    return [{"send": payload(data)}] if data else []


def _times(response: Value) -> int:
    if not response.is_mapping:
        return 1
    fields = response.fields()
    given = fields.get("repeat")
    if given is None and "behaviors" not in fields and "_behaviors" in fields and fields["_behaviors"].is_mapping:
        given = fields["_behaviors"].fields().get("repeat")
    if given is None:
        return 1
    times = int(given.text()) if given.is_text and given.text().isdecimal() else given.integer()
    if times < 1:
        raise given.unfit("mountebank needs a number above 0")
    return times
