"""`except`: what mountebank removes from a request, and from what it compares the request with.

It is a regular expression there. Two forms have an equivalent: a text, anywhere or at one end, which expressions can
remove, and a class of characters, which may stand between the characters of a pattern.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from answerback.importing import javascript, re2
from answerback.importing.expressions import COMPARISONS, literal

Condition = dict[str, Any]

_TEXT: Final = re.compile(r"(\^?)((?:[^\\^$.*+?()\[\]{}|]|\\[^A-Za-z0-9]|\\[nrt])+)(\$?)", re.DOTALL)
_CLASS: Final = re.compile(r"(\\[dDwWsS]|\[(?:[^\]\\]|\\.)+\])[+*]?", re.DOTALL)
_ESCAPES: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}
_ONLY: Final = (
    "no equivalent: only a text, with ^ before it or $ behind it, or a class of characters can be ignored; write a "
    "pattern, `when: {regex: …}`"
)

_LETTERS: Final = "no equivalent for letters outside ASCII beside `except`, unless `caseSensitive` is true"


@dataclass(frozen=True, slots=True)
class IgnoredText:
    """A text that is removed: from the beginning, from the end, or wherever it is."""

    text: bytes
    at: str
    """`^`, `$` or nothing."""
    ignore_case: bool

    def stripped(self, data: bytes) -> bytes:
        """Bytes without it; in lower case if case is ignored."""
        data, text = (data.lower(), self.text.lower()) if self.ignore_case else (data, self.text)
        if self.at == "^":
            return data.removeprefix(text)
        return data.removesuffix(text) if self.at == "$" else data.replace(text, b"")

    def compared(self, kind: str, data: bytes) -> Condition:
        """The condition that the request without it is, or has, these bytes. Raises NoEquivalent."""
        if self.ignore_case and re2.has_case(data.decode(errors="ignore")):
            raise re2.NoEquivalent(_LETTERS)
        value, wanted = self._value(), literal(data)
        return {"expr": COMPARISONS[kind](value, wanted, len(data))}

    def matched(self, pattern: str) -> Condition:
        """The condition that a pattern is found in the request without it."""
        return {"expr": f"matches({self._value()}, {literal(pattern.encode())})"}

    def left(self) -> Condition:
        """The condition that something is left of the request."""
        return {"expr": f"len({self._value()}) > 0"}

    def _value(self) -> str:
        request = "lower(request)" if self.ignore_case else "request"
        text = literal(self.text.lower() if self.ignore_case else self.text)
        size = len(self.text)
        if self.at == "^":
            return f"({request}[{size}:] if {request}[0:{size}] == {text} else {request})"
        if self.at == "$":
            return f"({request}[:-{size}] if {request}[-{size}:] == {text} else {request})"
        return f"replace({request}, {text}, '')"


@dataclass(frozen=True, slots=True)
class IgnoredClass:
    """Characters that are removed wherever they are: RE2, and RE of Python, for one of them."""

    one: str
    ignore_case: bool

    def stripped(self, data: bytes) -> bytes:
        """Bytes without them."""
        return re.sub(self.one.encode(), b"", data, flags=re.IGNORECASE if self.ignore_case else 0)

    def compared(self, kind: str, data: bytes) -> Condition:
        """The condition that the request without them is, or has, these bytes. Raises NoEquivalent."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise re2.NoEquivalent("no equivalent for bytes that are no text: write a pattern") from None
        between = f"{self.one}*"
        inner = between.join(re2.character(each, ignore_case=self.ignore_case) for each in text)
        begin = f"^{between}" if kind in {"equals", "prefix"} else ""
        end = f"{between}$" if kind in {"equals", "suffix"} else ""
        return {"regex": f"{self._flags}{begin}{inner}{end}"}

    def matched(self, _pattern: str) -> Condition:
        """A pattern on the request without them. Raises NoEquivalent."""
        raise re2.NoEquivalent("no equivalent with `matches`: allow the characters in its pattern")

    def left(self) -> Condition:
        """The condition that something is left of the request."""
        return {"not": {"regex": f"{self._flags}^{self.one}*$"}}

    @property
    def _flags(self) -> str:
        return "(?i)" if self.ignore_case else ""


Ignored = IgnoredText | IgnoredClass


def ignored(source: str, *, ignore_case: bool) -> Ignored:
    """What an expression of JavaScript removes. Raises NoEquivalent."""
    if found := _CLASS.fullmatch(source):
        return _class(found[1], ignore_case)
    found = _TEXT.fullmatch(source)
    if found is None or (found[1] and found[3]):
        raise re2.NoEquivalent(_ONLY)
    text = re.sub(r"\\.", lambda each: _ESCAPES.get(each[0], each[0][1:]), found[2], flags=re.DOTALL)
    if ignore_case and re2.has_case(text):
        raise re2.NoEquivalent(_LETTERS)
    return IgnoredText(text.encode(), found[1] or found[3], ignore_case)


def _class(source: str, ignore_case: bool) -> IgnoredClass:
    one = javascript.translate(source).pattern
    if one.startswith("(?:"):
        raise re2.NoEquivalent(_ONLY)
    return IgnoredClass(one, ignore_case)
