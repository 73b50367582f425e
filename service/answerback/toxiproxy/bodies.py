"""What clients of Toxiproxy's API send, read as it reads it.

Names of fields have any case, unknown fields and what follows the first JSON value are ignored, and null is a field
that is not given.
"""

# Rule: every body that cannot be used is an ApiError, whatever it is.

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from answerback.toxiproxy.errors import INVALID_STREAM, INVALID_TYPE, ApiError, bad_request, failed, missing
from answerback.toxiproxy.model import ATTRIBUTES, DOWNSTREAM, UPSTREAM, Proxy, Toxic

MAX_INTEGER: Final = (1 << 63) - 1
BLANK: Final = " \t\r\n"
KINDS: Final[Mapping[type, str]] = {
    str: "text",
    bool: "true or false",
    dict: "an object",
    list: "an array",
    float: "a number",
    int: "a whole number",
}

T = TypeVar("T")

_DECODER: Final = json.JSONDecoder()


class Fields:
    """The fields of a JSON object."""

    def __init__(self, value: object) -> None:
        """Raises ApiError if it is none. Of fields whose names differ in case only, the last one counts."""
        given = {} if value is None else _of(dict, value, "the body")
        self._given = {name.lower(): each for name, each in given.items() if each is not None}

    def get(self, name: str, kind: type[T]) -> T | None:
        """A field; None if it is not given. Raises ApiError."""
        return _of(kind, self._given[name], name) if name in self._given else None

    def number(self, name: str) -> float | None:
        """A number; None if it is not given. Raises ApiError."""
        found = self._given.get(name)
        if isinstance(found, int) and not isinstance(found, bool):
            return float(found) if abs(found) <= MAX_INTEGER else float("inf")
        return self.get(name, float)

    def fields(self, name: str) -> "Fields":
        """An object, which is empty if it is not given. Raises ApiError."""
        return Fields(self.get(name, dict))


def _of(kind: type[T], value: object, what: str) -> T:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise bad_request(f"{what} must be {KINDS[kind]}")
    return value


def decode(body: bytes) -> Any:
    """The first JSON value of a body. Raises ApiError."""
    try:
        text = body.decode().lstrip(BLANK)
        if not text:
            raise bad_request("EOF")
        return _DECODER.raw_decode(text)[0]
    except (ValueError, RecursionError) as error:
        raise bad_request(str(error) or "not JSON") from None


def new_proxy(value: object, place: str = "") -> Proxy:
    """A proxy to be made; `place` says which one of several it is. Raises ApiError."""
    fields = Fields(value)
    name, upstream = fields.get("name", str), fields.get("upstream", str)
    if not name:
        raise missing(f"name{place}")
    if not upstream:
        raise missing(f"upstream{place}")
    enabled = fields.get("enabled", bool)
    return Proxy(name, fields.get("listen", str) or "", upstream, enabled is not False)


def population(value: object) -> list[Proxy]:
    """The proxies of /populate. Raises ApiError."""
    given = [] if value is None else _of(list, value, "the body")
    proxies = [new_proxy(each, f" at proxy {place}") for place, each in enumerate(given, 1)]
    names: set[str] = set()
    for proxy in proxies:
        if proxy.name in names:
            raise failed(f"duplicate proxy name {json.dumps(proxy.name)}")
        names.add(proxy.name)
    return proxies


def new_toxic(value: object) -> Toxic:
    """A toxic to be made. Raises ApiError."""
    fields = Fields(value)
    stream = fields.get("stream", str)
    stream = DOWNSTREAM if stream is None else stream
    kind, toxicity = fields.get("type", str) or "", fields.number("toxicity")
    if stream not in (UPSTREAM, DOWNSTREAM):
        raise ApiError(*INVALID_STREAM)
    if kind not in ATTRIBUTES:
        raise ApiError(*INVALID_TYPE)
    name = fields.get("name", str) or f"{kind}_{stream}"
    return Toxic(name, kind, stream, 1.0 if toxicity is None else toxicity, attributes(kind, fields, {}))


def updated_toxic(toxic: Toxic, value: object) -> Toxic:
    """A toxic with other attributes or toxicity; nothing else of it can change. Raises ApiError."""
    fields = Fields(value)
    toxicity = fields.number("toxicity")
    found = attributes(toxic.type, fields, toxic.attributes)
    return Toxic(toxic.name, toxic.type, toxic.stream, toxic.toxicity if toxicity is None else toxicity, found)


def attributes(kind: str, fields: Fields, former: Mapping[str, int]) -> Mapping[str, int]:
    """The attributes of a toxic; those that are not given stay as they were. Raises ApiError."""
    given = fields.fields("attributes")
    return {name: _whole(given, name, former.get(name, 0)) for name in ATTRIBUTES[kind]}


def _whole(given: Fields, name: str, former: int) -> int:
    found = given.get(name, int)
    if found is None:
        return former
    if not 0 <= found <= MAX_INTEGER:
        raise bad_request(f"{name} must be 0 to {MAX_INTEGER}")
    return found


def names_of(proxies: Sequence[Proxy]) -> str:
    """The names of proxies, for a comment."""
    return ", ".join(proxy.name for proxy in proxies[:3]) + (
        f" and {len(proxies) - 3} more" if len(proxies) > 3 else ""
    )
