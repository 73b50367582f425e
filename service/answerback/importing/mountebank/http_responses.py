"""Responses of HTTP imposters: the step `respond`, and a close, unless a response says otherwise."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from answerback.importing.mountebank.behaviors import Copy
from answerback.importing.mountebank.data import data_of, payload
from answerback.importing.mountebank.responses import Reader, Script
from answerback.importing.source import Unfit, Value

# Rule: what a response does not say is said by `defaultResponse`, one field of it at a time, and then by mountebank.

_FIELDS: Final = ("statusCode", "headers", "body", "_mode")
_OTHERS: Final = frozenset(("_proxyResponseTime",))
_ADDED: Final = frozenset(("content-length", "transfer-encoding"))  # by `respond`, which knows the body


@dataclass(slots=True)
class HttpReader(Reader):
    """Reads responses of one HTTP imposter."""

    defaults: dict[str, Value] = field(default_factory=dict)

    def read_default(self, value: Value) -> None:
        """Read the fields of `defaultResponse`; what else it has is noted."""
        try:
            self.defaults = self._known(value)
        except Unfit as unfit:
            self.notes.add(unfit.problem)

    def unmatched(self) -> Script:
        """What is done for a request that no stub is for."""
        try:
            return self._respond({})
        except Unfit as unfit:
            self.notes.add(unfit.problem)
            return []

    def reply(self, given: Value, copies: Sequence[Copy]) -> Script:
        """What sends an `is`. Raises Unfit."""
        assert not copies  # they have no equivalent
        return self._respond(self._known(given))

    def _known(self, given: Value) -> dict[str, Value]:
        fields = given.fields()
        for name, value in fields.items():
            if name not in _FIELDS and name not in _OTHERS:
                self.notes.add(value.problem(f"mountebank sends nothing of {name!r} over HTTP"))
        return {name: value for name, value in fields.items() if name in _FIELDS}

    def _respond(self, given: dict[str, Value]) -> Script:
        fields = self.defaults | {name: value for name, value in given.items() if _says_something(value)}
        headers = _headers(fields["headers"]) if "headers" in fields else []
        connection = [value for name, value in headers if name.lower() == "connection"]
        if not connection:
            headers.append(("Connection", "close"))
        respond: dict[str, Any] = {
            "status": _status(fields["statusCode"]) if "statusCode" in fields else 200,
            "headers": [{"name": name, "value": value} for name, value in headers],
        }
        if body := _body(fields):
            respond["body"] = payload(body)
        closes = not connection or any("close" in value.lower() for value in connection)
        return [{"respond": respond}, *(["close"] if closes else [])]


def _says_something(value: Value) -> bool:
    """Whether a value is not empty, null, false or 0, in whose place JavaScript takes the default."""
    return value.is_mapping or value.is_list or bool(value.plain())


def _status(given: Value) -> int:
    return int(given.text()) if given.is_text and given.text().isdecimal() else given.integer()


def _headers(given: Value) -> list[tuple[str, str]]:
    """The header fields in their order, those with several values once for each."""
    found = []
    for name, value in given.fields().items():
        if name.lower() not in _ADDED:
            found += [(name, _plain(each)) for each in (value.items() if value.is_list else [value])]
    return found


def _plain(value: Value) -> str:
    """A string, or what JavaScript writes for a number or a boolean. Raises Unfit."""
    return value.text() if value.is_text else json.dumps(value.plain())


def _body(fields: dict[str, Value]) -> bytes:
    if "body" not in fields:
        return b""
    body = fields["body"]
    if body.is_mapping or body.is_list:
        return json.dumps(body.plain(), indent=4, ensure_ascii=False).encode()
    mode = fields["_mode"].text() if "_mode" in fields else "text"
    return data_of(body, binary=True) if mode == "binary" else _plain(body).encode()
