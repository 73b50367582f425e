"""Regular expressions of JavaScript (ECMA-262, without the flag u) to RE2 over bytes."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from answerback.importing.re2 import NoEquivalent, character, in_class

# Rule: what comes out matches the UTF-8 of a text where JavaScript's expression matches the text; what cannot be said
#       raises NoEquivalent. A class and a dot match one byte where JavaScript's match a character outside ASCII.

MAX_LENGTH: Final = 16_384  # as of patterns: docs/reference/patterns.md

_ANY: Final = r"[\x00-\xff]"
_NONE: Final = r"[^\x00-\xff]"
_DOT: Final = r"[^\r\n]"
_SPACE: Final = r"\t-\r "  # with the vertical tab, which RE2's \s lacks
_NOT_SPACE: Final = r"\x00-\x08\x0e-\x1f!-\xff"

_QUANTIFIER = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??")
_NAMED = re.compile(r"\(\?<([A-Za-z_$][\w$]*)>", re.ASCII)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_CLASSES = {"d": r"\d", "D": r"\D", "w": r"\w", "W": r"\W"}
_OUTSIDE = _CLASSES | {"s": f"[{_SPACE}]", "S": f"[^{_SPACE}]", "b": r"\b", "B": r"\B"}
_WITHIN = _CLASSES | {"s": _SPACE, "S": _NOT_SPACE, "b": "\b", "-": "-"}
_NO_LETTER = re.compile(r"\\(?:[dDwWsSbBnrtfv0]|[^A-Za-z])")
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})")
_PAIR = re.compile(r"u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class Translated:
    """An expression in RE2."""

    body: str
    """Without the flag for the case of letters."""
    ignore_case: bool
    groups: int
    """The number of its capturing groups."""

    @property
    def pattern(self) -> str:
        """The expression as a whole."""
        return f"{self._flags}{self.body}"

    def captured(self, name: str) -> str:
        """The expression with all that it matches in a group of this name."""
        return f"{self._flags}(?P<{name}>{self.body})"

    @property
    def _flags(self) -> str:
        return "(?i)" if self.ignore_case else ""


def translate(source: str, *, ignore_case: bool = False, prefix: str | None = None) -> Translated:
    """Translate an expression. `prefix`: name group N `PREFIX_N`; otherwise no group captures. Raises NoEquivalent."""
    if len(source) > MAX_LENGTH:
        raise NoEquivalent(f"longer than {MAX_LENGTH} characters")
    return _Translator(source, ignore_case, prefix).translate()


def _has_letters(source: str) -> bool:
    """Whether an expression may have letters of ASCII, so that their case matters."""
    return re.search(r"[A-Za-z]", _NO_LETTER.sub("", source)) is not None


@dataclass(slots=True)
class _Translator:
    """One expression being translated."""

    source: str
    ignore_case: bool
    prefix: str | None
    at: int = 0
    groups: int = 0
    open: list[int] = field(default_factory=list)
    """Where the groups begin that are not complete."""
    repeatable: bool = False
    """Whether a quantifier can stand here."""

    @property
    def _begins(self) -> dict[str, Callable[[], str]]:
        """What is longer than a character, by the character that it begins with."""
        return {"(": self._begin_group, ")": self._end_group, "[": self._class, "\\": self._escaped}

    def translate(self) -> Translated:
        parts = []
        while self.at < len(self.source):
            parts.append(self._next())
        if self.open:
            raise NoEquivalent(f"( without its ) (at character {self.open[-1] + 1})")
        return Translated("".join(parts), self.ignore_case and _has_letters(self.source), self.groups)

    def _next(self) -> str:
        if quantifier := _QUANTIFIER.match(self.source, self.at):
            return self._quantifier(quantifier)
        one = self.source[self.at]
        if begins := self._begins.get(one):
            return begins()
        self.at += 1
        self.repeatable = one not in "|^$"
        if not self.repeatable:
            return one
        return _DOT if one == "." else character(one, ignore_case=self.ignore_case)

    def _quantifier(self, found: re.Match[str]) -> str:
        if not self.repeatable:
            raise self._error(f"nothing to repeat before {found[0]}")
        self.at = found.end()
        self.repeatable = False
        return found[0]

    def _begin_group(self) -> str:
        begin = self.at
        named = _NAMED.match(self.source, begin)
        if self.source.startswith(("(?=", "(?!", "(?<=", "(?<!"), begin):
            raise self._error(
                "RE2 has no look-around: write several conditions, in `all`, `any` and `not`, each with its pattern"
            )
        if self.source.startswith("(?:", begin):
            self.at, opened = begin + 3, "(?:"
        elif named or not self.source.startswith("(?", begin):
            self.at = named.end() if named else begin + 1
            self.groups += 1
            opened = f"(?P<{self.prefix}_{self.groups}>" if self.prefix else "(?:"
        else:
            raise self._error(f"no equivalent for {self.source[begin : begin + 3]}")
        self.open.append(begin)
        self.repeatable = False
        return opened

    def _end_group(self) -> str:
        if not self.open:
            raise self._error(") without its (")
        self.open.pop()
        self.at += 1
        self.repeatable = True
        return ")"

    def _escaped(self) -> str:
        following = self.source[self.at + 1 : self.at + 2]
        self.repeatable = following not in ("b", "B")
        if following in _OUTSIDE:
            self.at += 2
            return _OUTSIDE[following]
        return character(self._escaped_character(), ignore_case=self.ignore_case)

    def _escaped_character(self) -> str:
        """The character that an escape means, in a class or outside."""
        begin = self.at
        following = self.source[begin + 1 : begin + 2]
        if not following:
            raise self._error("a \\ at the end")
        if pair := _PAIR.match(self.source, begin + 1):
            self.at = pair.end()
            return (bytes.fromhex(pair[1]) + bytes.fromhex(pair[2])).decode("utf-16-be")
        if code := _HEX.match(self.source, begin + 1):
            self.at = code.end()
            return chr(int(code[1] or code[2], 16))
        self.at += 2
        if following in _CONTROLS and not self.source[begin + 2 : begin + 3].isdigit():
            return _CONTROLS[following]
        if following == "c" and re.match(r"[A-Za-z]", self.source[begin + 2 : begin + 3]):
            self.at += 1
            return chr(ord(self.source[begin + 2]) % 32)
        if following.isdigit() or following == "k":
            self.at = begin
            raise self._error("RE2 has no backreferences: write the text that is repeated, or compare in an `expr`")
        if following in "pP":
            self.at = begin
            raise self._error(f"without the flag u, JavaScript takes \\{following} for the letter {following}")
        return following

    def _class(self) -> str:
        begin = self.at
        self.at += 1
        negated = self.source.startswith("^", self.at)
        self.at += negated
        members: list[str] = []
        others: list[str] = []  # characters outside ASCII
        while not self.source.startswith("]", self.at):
            if self.at >= len(self.source):
                self.at = begin
                raise self._error("[ without its ]")
            self._member(members, others)
        self.at += 1
        self.repeatable = True
        if negated and others:
            self.at = begin
            raise self._error("a class cannot exclude a character outside ASCII, which is several bytes")
        if not members and not others:
            return _ANY if negated else _NONE
        if not others:
            return f"[{'^' * negated}{''.join(members)}]"
        choices = ([f"[{''.join(members)}]"] if members else []) + others
        return f"(?:{'|'.join(choices)})"

    def _member(self, members: list[str], others: list[str]) -> None:
        begin = self.at
        first = self._class_atom()
        if not (self.source.startswith("-", self.at) and not self.source.startswith("-]", self.at)):
            self._add(first, members, others)
            return
        self.at += 1
        last = self._class_atom() if self.at < len(self.source) else "-"
        if len(first) > 1 or len(last) > 1:  # as [\w-.]: not a range
            for each in (first, "-", last):
                self._add(each, members, others)
            return
        if not (first.isascii() and last.isascii()):
            self.at = begin
            raise self._error("a range of characters outside ASCII has no equivalent: write its characters")
        if first > last:
            self.at = begin
            raise self._error(f"the range {self.source[begin : begin + 3]} is out of order")
        members.append(f"{in_class(first)}-{in_class(last)}")

    def _add(self, atom: str, members: list[str], others: list[str]) -> None:
        if len(atom) > 1:
            members.append(atom)
        elif atom.isascii():
            members.append(in_class(atom))
        else:
            others.append(character(atom, ignore_case=self.ignore_case))

    def _class_atom(self) -> str:
        r"""A character of a class, or several characters: RE2 for many, such as `\d`."""
        one = self.source[self.at]
        if one != "\\":
            self.at += 1
            return one
        following = self.source[self.at + 1 : self.at + 2]
        if following in _WITHIN:
            self.at += 2
            return _WITHIN[following]
        return self._escaped_character()

    def _error(self, message: str) -> NoEquivalent:
        return NoEquivalent(f"{message} (at character {self.at + 1})")
