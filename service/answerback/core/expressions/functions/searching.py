"""Functions that look into bytes: for a pattern, and for a value of a JSON text."""

import re
from collections.abc import Callable
from typing import Any, Final

from answerback.core import patterns
from answerback.core.expressions.errors import EvaluationError, bounded

# Instructions of a pattern that cost as much as reading a byte: 4 MiB are then `patterns.MAX_SEARCH` at most.
INSTRUCTIONS_PER_BYTE: Final = 128

_MEMBER = re.compile(r"(?:^|(?<=.)\.)(?P<name>[^.\[\]]+)|\[(?P<index>[0-9]{1,9})\]")

Path = tuple[str | int, ...]


def matching(pattern: str) -> Callable[[bytes], bool]:
    """Return the function that searches for a pattern. Raises `patterns.PatternError`."""
    search = patterns.compile(pattern, captures=False).search
    return lambda data: search(data) is not None


def cost_of(pattern: str) -> int:
    """The cost of a search per byte. Raises `patterns.PatternError`."""
    return 1 + int(patterns.search_cost(pattern)) // INSTRUCTIONS_PER_BYTE


def path_of(text: str) -> Path:
    """Read the path of a JSON value: `a.b[0]`. Raises ValueError."""
    found: list[str | int] = []
    at = 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if member is None:
            raise ValueError(f"not a path: names, separated by dots, and indexes, as in a.b[0], not {text[:64]!r}")
        found.append(int(member["index"]) if member["index"] else member["name"])
        at = member.end()
    return tuple(found)


def json_value(path: Path) -> Callable[[bytes], bytes]:
    """Return the function that reads one value of a JSON text (RFC 8259): a string as UTF-8, else compact JSON."""
    import json  # noqa: PLC0415 - few configurations use it, and a worker's memory counts

    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

    def read(data: bytes) -> bytes:
        try:
            value = json.loads(data, parse_constant=_reject)
            for key in path:
                value = _member(value, key)
            return _written(value, encode)
        except (LookupError, ValueError, RecursionError) as problem:
            raise EvaluationError(f"json: {_why(problem)}") from None

    return read


def _member(value: Any, key: str | int) -> Any:
    if isinstance(key, int) and isinstance(value, list):
        return value[key]
    if isinstance(key, str) and isinstance(value, dict):
        return value[key]
    raise EvaluationError(f"json: there is no {key!r} in a value that has no such members")


def _written(value: Any, encode: Callable[[Any], str]) -> bytes:
    written = (value if isinstance(value, str) else encode(value)).encode()
    bounded(len(written))
    return written


def _why(problem: Exception) -> str:
    if isinstance(problem, LookupError):
        return f"there is no {problem.args[0]!r}" if isinstance(problem, KeyError) else "there is no such index"
    return "nested too deep" if isinstance(problem, RecursionError) else "not JSON"


def _reject(name: str) -> Any:
    raise ValueError(name)
