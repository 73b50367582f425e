"""Files of imposters to listeners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from answerback.importing.addresses import ALL_ADDRESSES, Names, host_to_listen_on
from answerback.importing.mountebank.behaviors import conditions
from answerback.importing.mountebank.conditions import ALWAYS, all_of
from answerback.importing.mountebank.data import Kind
from answerback.importing.mountebank.http_responses import HttpReader
from answerback.importing.mountebank.predicates import condition
from answerback.importing.mountebank.proxies import only_proxy, upstream
from answerback.importing.mountebank.responses import Reader, Script
from answerback.importing.outcome import Listener, Notes, Outcome, Part, complete
from answerback.importing.source import EJS, RENDER, Unfit, Unreadable, Value, read

# Rule: a stub is a rule, in the order of the file. One that has a predicate without an equivalent is left out, because
#       it would answer requests that are for another.

READ_BYTES: Final = 65_536  # that Node.js reads at once: a request of mountebank
_KNOWN: Final = frozenset(
    ("protocol", "port", "host", "name", "mode", "stubs", "defaultResponse", "endOfRequestResolver")
)
_WITHOUT_EFFECT: Final = frozenset(("recordRequests", "requests", "numberOfRequests", "allowCORS", "_links"))
_OF_STUB: Final = frozenset(("predicates", "responses", "matches", "_links", "_uuid"))
_FRAMING: Final = (
    "JavaScript has no equivalent, and each read is a request: write how requests end as `framing`, "
    "such as line, {delimiter: …} or {length_prefix: …}"
)


def import_mountebank(data: bytes) -> Outcome:
    """The configuration made of a file of imposters. Raises Unreadable."""
    root = read(data)
    notes = Notes()
    try:
        imposters = _imposters(root)
    except Unfit as unfit:
        raise Unreadable(unfit.problem) from None
    for value, text in root.scalars():
        if EJS in text:
            notes.add(value.problem(RENDER))
    file = _File(notes)
    listeners = [each for imposter in imposters if (each := file.listener(imposter))]
    if not listeners:
        raise Unreadable(root.problem("no imposter that can be imported" + _why(notes)))
    return complete(listeners, notes)


def _why(notes: Notes) -> str:
    found = notes.found()
    return f": {found[0]}" if found else ""


def _imposters(root: Value) -> list[Value]:
    """The imposters of a file: one alone, or a list of them."""
    fields = root.fields()
    if "imposters" in fields:
        return fields["imposters"].items()
    if "protocol" in fields:
        return [root]
    raise root.unfit("an imposter (with `protocol`) is expected, or an object with `imposters`")


@dataclass(slots=True)
class _File:
    """The imposters of one file, whose names differ."""

    notes: Notes
    names: Names = field(default_factory=Names)

    def listener(self, imposter: Value) -> Listener | None:
        """The listener of an imposter; None, with a note, if it has no equivalent."""
        try:
            return self._listener(imposter)
        except Unfit as unfit:
            self.notes.add(unfit.problem)
            return None

    def _listener(self, imposter: Value) -> Listener:
        fields = imposter.fields()
        protocol = fields["protocol"].text() if "protocol" in fields else ""
        if protocol not in {"tcp", "http"}:
            raise fields.get("protocol", imposter).unfit(f"left out: tcp and http are imported, not {protocol!r}")
        kind = Kind.HTTP if protocol == "http" else self._mode(fields.get("mode"))
        for name, value in fields.items():
            if name not in _KNOWN | _WITHOUT_EFFECT:
                self.notes.add(
                    value.problem(f"mountebank has no field {name!r} of a {protocol} imposter: it is ignored")
                )
        port = fields["port"].integer() if "port" in fields else 0
        found = Listener(
            {
                "name": self.names.of(fields["name"].text() if "name" in fields else "", f"{protocol}-{port}"),
                "address": f"{self._host(fields.get('host'))}:{port}",
                "limits": {"idle_timeout": "0s"},
            },
            imposter,
        )
        stubs = fields["stubs"].items() if "stubs" in fields else []
        if kind is not Kind.HTTP and (proxy := only_proxy(stubs)):
            found.value["upstream"] = {"address": upstream(proxy, self.notes)}
        else:
            self._answer(found, fields, stubs, kind)
        return found

    def _answer(self, listener: Listener, fields: Mapping[str, Value], stubs: Sequence[Value], kind: Kind) -> None:
        """Add what a listener has that answers by itself."""
        if "endOfRequestResolver" in fields:
            self.notes.add(fields["endOfRequestResolver"].problem(_FRAMING))
        http = kind is Kind.HTTP
        listener.value["framing"] = "http" if http else {"read": {"max_bytes": READ_BYTES}}
        reader = HttpReader(self.notes, kind) if http else Reader(self.notes, kind)
        if "defaultResponse" in fields:
            reader.read_default(fields["defaultResponse"])
        listener.rules += [rule for index, stub in enumerate(stubs) if (rule := self._rule(stub, index, reader))]
        if script := reader.unmatched():
            source = fields.get("defaultResponse", listener.source)
            listener.rules.append(Part({"name": "default", "do": script}, source))

    def _rule(self, stub: Value, index: int, reader: Reader) -> Part | None:
        """The rule of a stub; None, with a note, if it has no equivalent."""
        try:
            fields = stub.fields()
            for name, value in fields.items():
                if name not in _OF_STUB:
                    self.notes.add(value.problem(f"mountebank has no field {name!r} of a stub: it is ignored"))
            if "responses" not in fields:
                raise stub.unfit("mountebank needs `responses`")
            when = condition(fields["predicates"], reader.kind) if "predicates" in fields else None
            answers = reader.answers(fields["responses"])
        except Unfit as unfit:
            self.notes.add(unfit.consequence("the stub is left out"))
            return None
        needed = [ALWAYS if when is None else when, *conditions(answers.copies)]
        rule: dict[str, Any] = {"name": f"stub-{index}"}
        if len(needed) > 1 or when is not None:
            rule["when"] = all_of(needed)
        return Part(rule | _replies(answers.scripts), stub)

    def _mode(self, mode: Value | None) -> Kind:
        if mode is None or mode.text() == "text":
            return Kind.TEXT
        if mode.text() != "binary":
            raise mode.unfit(f"left out: the mode is text or binary, not {mode.text()!r}")
        return Kind.BINARY

    def _host(self, host: Value | None) -> str:
        found = host_to_listen_on(host.text()) if host is not None else ALL_ADDRESSES
        if host is not None and found is None:
            self.notes.add(host.problem(f"an address is needed, not a name: listens on all addresses, {ALL_ADDRESSES}"))
        return found or ALL_ADDRESSES


def _replies(scripts: Sequence[Script]) -> dict[str, Any]:
    """What a rule does: the same each time, or each script in turn."""
    if all(script == scripts[0] for script in scripts):
        return {"do": scripts[0]} if scripts[0] else {}
    return {"replies": {"of": [{"do": script} for script in scripts], "then": "CYCLE"}}
