"""From text to what the parser gets: literals are read here, and the rest is checked token by token."""

import keyword
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from answerback.language.expressions import old_grammar
from answerback.language.expressions.errors import ExpressionError, quoted
from answerback.language.expressions.literals import PREFIXES, read_literal

# Rule: positions are characters of the whole text.
# Rule: what reaches the parser is one line of at most MAX_SOURCE characters, bounded in depth.

MAX_SOURCE: Final = 1024  # bytes of one expression
MAX_DEPTH: Final = 32  # of operators, functions and brackets in one another: evaluation recurses as deep

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<word>[^\W\d]\w*)"
    r"|(?P<number>0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)"
    r"|(?P<quote>['\"])|(?P<operator>//|<<|>>|<=|>=|==|!=|\*\*|:=|[-+*%&|^~<>()\[\],.:])"
)
_CLOSING: Final = {"(": ")", "[": "]"}
_PREFIX_OPERATORS: Final = frozenset({"-", "~", "+", "not"})
_COLON: Final = frozenset({":"})
_OPERATOR_WORDS: Final = frozenset({"and", "or", "not", "in", "if", "else", "True", "False"})
_REJECTED: Final = {
    "#": "there are no comments in an expression",
    "$": "there is no ${…} within an expression",
    "{": "there are no sets or mappings in an expression",
    "}": "there is no { before this }",
    "\\": "a backslash stands only in literals",
    "=": "to compare, write ==; arguments have no names",
    "/": "to divide, write //",
    "!": "write `not`, or != to compare",
    "**": "there is no power",
    ":=": "there are no assignments in an expression",
    "`": "a literal is written '…'",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The text of an expression, ready to be parsed."""

    code: str
    """One line, in which every literal is a string of as many characters."""
    start: int
    """The position at which it begins."""
    end: int
    """The position at which it ends: after the last character, or at the `}`."""
    literals: Mapping[int, bytes]
    """The bytes of each literal, by its position in `code`."""


def scan(text: str, at: int = 0, *, captures: Collection[str] = (), in_template: bool = False) -> Source:
    """Read an expression from a position on: to the end, or to the first `}` outside a literal.

    `captures`: names that the error about a keyword suggests. Raises ExpressionError.
    """
    return _Scanner(text, at, captures, in_template).scan()


class _Scanner:
    """Scans one expression."""

    def __init__(self, text: str, at: int, captures: Collection[str], in_template: bool) -> None:
        self._text = text
        self._begin = self._at = at
        self._captures = captures
        self._in_template = in_template
        self._code: list[str] = []
        self._size = 0  # characters of `_code`
        self._literals: dict[int, bytes] = {}
        self._open: list[tuple[str, int]] = []
        self._before: list[str] = ["", ""]  # the last two tokens
        self._prefixes = 0  # prefix operators in a row

    def scan(self) -> Source:
        """Read up to the end."""
        while self._at < len(self._text):
            if self._in_template and self._text[self._at] == "}":
                break
            self._token()
            if self._at - self._begin > MAX_SOURCE:
                raise ExpressionError(f"more than {MAX_SOURCE} bytes; set a variable to a part of it", self._begin)
        else:
            if self._in_template:
                raise ExpressionError("${ without its }", self._begin - 2)
        if self._open:
            bracket, at = self._open[-1]
            raise ExpressionError(f"{bracket} without its {_CLOSING[bracket]}", at)
        if len(self._text[self._begin : self._at].encode()) > MAX_SOURCE:
            raise ExpressionError(f"more than {MAX_SOURCE} bytes; set a variable to a part of it", self._begin)
        return self._source()

    def _source(self) -> Source:
        whole = "".join(self._code)
        code = whole.strip(" ")
        margin = len(whole) - len(whole.lstrip(" "))
        if not code:
            raise ExpressionError("empty: a value is expected", self._begin)
        literals = {at - margin: data for at, data in self._literals.items()}
        return Source(code, self._begin + margin, self._at, literals)

    def _token(self) -> None:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            raise self._unknown(self._text[self._at])
        token = found[0]
        if found["space"]:
            self._add(" " * len(token))
            return
        if found["quote"]:
            self._literal("")
            return
        if found["word"] and self._text[found.end() : found.end() + 1] in {"'", '"'} and token not in _OPERATOR_WORDS:
            self._literal(token)
            return
        if found["word"]:
            self._word(token)
        elif found["number"]:
            self._number(token, found.end())
        else:
            self._operator(token)
        self._prefixes = self._prefixes + 1 if token in _PREFIX_OPERATORS else 0
        self._check_depth()
        self._before = [self._before[1], token]
        self._add(token)

    def _add(self, code: str) -> None:
        self._code.append(code)
        self._size += len(code)
        self._at += len(code)

    def _literal(self, prefix: str) -> None:
        if prefix.lower() in {"f", "rf", "fr", "t"}:
            raise ExpressionError("there are no f-strings: join parts with +", self._at)
        if prefix not in PREFIXES:
            raise ExpressionError(f"{quoted(prefix)} is not a prefix of a literal: there are b'…' and r'…'", self._at)
        if self._before[1] == "'":
            raise ExpressionError("an operator is expected between two literals: write +", self._at)
        data, end = read_literal(self._text, self._at + len(prefix), prefix)
        self._literals[self._size] = data
        self._before = [self._before[1], "'"]
        self._prefixes = 0
        self._add("'" + "_" * (end - self._at - 2) + "'")

    def _word(self, word: str) -> None:
        if not keyword.iskeyword(word):
            return
        if self._before == ["vars", "."]:
            raise ExpressionError(f"{word} is a keyword: write vars['{word}']", self._at)
        if word in _OPERATOR_WORDS:
            return
        if word in self._captures:
            raise ExpressionError(f"{word} is a keyword: write captures['{word}']", self._at)
        raise ExpressionError(f"there is no `{word}` in an expression", self._at)

    def _number(self, number: str, end: int) -> None:
        following = self._text[end : end + 2]
        if following[:1].isalnum() or following[:1] == "_":
            raise ExpressionError(f"{quoted(number + following[0])} is not a number: write 10, or 0x0a", self._at)
        if following[:1] == ".":
            raise ExpressionError("numbers have no fraction", self._at)

    def _operator(self, token: str) -> None:
        if token in _REJECTED:
            raise ExpressionError(_REJECTED[token], self._at)
        if token in _CLOSING:
            self._open.append((token, self._at))
        elif token in _CLOSING.values():
            if not self._open or _CLOSING[self._open[-1][0]] != token:
                raise ExpressionError(f"there is nothing that this {token} closes", self._at)
            self._open.pop()
        elif token in _COLON and (not self._open or self._open[-1][0] != "["):
            self._colon()

    def _colon(self) -> None:
        end = self._text.find("}", self._begin) if self._in_template else len(self._text)
        instead = old_grammar.rewritten(self._text[self._begin : len(self._text) if end < 0 else end])
        shown = "" if instead is None else f": write ${{{instead}}}" if self._in_template else f": write {instead}"
        raise ExpressionError(f"the argument of a function stands in parentheses{shown}", self._begin)

    def _check_depth(self) -> None:
        if len(self._open) + self._prefixes > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep", self._at)

    def _unknown(self, character: str) -> ExpressionError:
        if character in _REJECTED:
            return ExpressionError(_REJECTED[character], self._at)
        if "\ud800" <= character <= "\udfff":
            return ExpressionError("half of a surrogate pair is not a character", self._at)
        return ExpressionError(f"{character!r} has no meaning in an expression", self._at)
