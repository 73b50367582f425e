"""The grammar of templates: text to values.

    template    = *( text / "$$" / "${" value "}" )
    value       = function ":" value *( "," value ) / "hex:" pairs / "now:" format / "random:" digits
                / literal / ( placeholder / capture ) [ slice ]
    slice       = "[" index "]" / "[" [ index ] ":" [ index ] "]"
    index       = [ "-" ] digits
    literal     = digits (where a number is expected) / "0x" hexadecimal digits

A format runs to the next `}`, pairs to the next `,` or `}`; a blank may stand behind a comma.
"""

import re
from collections.abc import Collection
from string import digits
from typing import Final

from answerback.core.templates import clock, placeholders, values
from answerback.core.templates.errors import MOST, TemplateError, TooLong, quoted, suggestion
from answerback.core.templates.functions import FUNCTIONS, WIDEST_PAD, Function
from answerback.core.templates.placeholders import PLACEHOLDERS
from answerback.core.templates.values import LARGEST, Bytes, Number, Value

# Rule: each method parses what it is named for at the current position, and advances past it.
# Rule: an error's position is where the wrong token begins; for an unclosed one, where it was opened.

DEEPEST: Final = 16  # max. nesting of functions: rendering recurses as deep

_WORD = re.compile(r"[^\s:,\[\]{}$]*")
_DECIMAL = re.compile(r"[0-9]{1,20}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,16}")
_SLICE = re.compile(r"\[(?:(?P<index>-?[0-9]{1,9})|(?P<start>-?[0-9]{1,9})?:(?P<stop>-?[0-9]{1,9})?)\]")
_PAD = re.compile(r"pad[0-9]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NOT_HEXADECIMAL = re.compile(r"[^0-9a-fA-F \t\r\n]")
_HEX_END = re.compile(r"[,}]|$")

_DIGITS: Final = frozenset(digits)
_RAW: Final = {"hex": "hex:00 2a", "now": "now:%H:%M:%S", "random": "random:8"}
_USUAL_PAD: Final = "pad3"  # stands for all words of its kind in suggestions

RESERVED: Final = frozenset([*FUNCTIONS, *_RAW, "vars", *(name.partition(".")[0] for name in PLACEHOLDERS)])
"""The words of the grammar, which cannot be names of captures."""


def is_reserved(name: str) -> bool:
    """Whether a capture may not have this name: it is a word of the grammar, or would read as a number."""
    return name in RESERVED or name[:1] in _DIGITS


def is_variable(name: str) -> bool:
    """Whether `vars.NAME` can have this name: letters, digits, `_` and `-`, the first a letter or `_`."""
    return _VARIABLE.fullmatch(name) is not None


def parse(text: str, captures: Collection[str], groups: int) -> list[Value]:
    """Parse the text into values, in order. Raises TemplateError."""
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise TemplateError("half of a surrogate pair is no character", problem.start) from None
    return _Parser(text, captures, groups).template()


class _Parser:
    """Parses one text; `_at` is the position, `_opened` that of the last `${`."""

    def __init__(self, text: str, captures: Collection[str], groups: int) -> None:
        self._text = text
        self._captures = captures
        self._groups = groups
        self._at = 0
        self._opened = 0

    def template(self) -> list[Value]:
        """Parse the whole text."""
        text, found, plain = self._text, list[Value](), list[str]()
        while (dollar := text.find("$", self._at)) >= 0:
            plain.append(text[self._at : dollar])
            if text.startswith("$$", dollar):
                plain.append("$")
                self._at = dollar + 2
            elif text.startswith("${", dollar):
                _settle(plain, found)
                self._opened, self._at = dollar, dollar + 2
                found.append(self._value(numeric=False))
                self._close()
            else:
                raise TemplateError("a single $: write $$ for a dollar, ${…} for a value", dollar)
        plain.append(text[self._at :])
        _settle(plain, found)
        return found

    def _value(self, *, numeric: bool, largest: int = LARGEST, depth: int = 0) -> Value:
        """Parse a value; where a number is expected, a literal may be at most `largest`."""
        at, word = self._at, self._word()
        following = self._next()
        if following == ":":
            self._at += 1
            return self._applied(word, at, depth)
        if word.startswith("0x") or (numeric and word[:1] in _DIGITS):
            return self._literal(word, at, largest)
        value = self._looked_up(word, at)
        return self._sliced(value, word) if following == "[" else value

    def _word(self) -> str:
        found = _WORD.match(self._text, self._at)
        assert found is not None, "the pattern matches the empty string"
        self._at = found.end()
        return found.group()

    def _next(self) -> str:
        """Return the next character; an error if the text ends within a placeholder."""
        if self._at >= len(self._text):
            raise TemplateError("${ without its }", self._opened)
        return self._text[self._at]

    def _close(self) -> None:
        found = self._next()
        if found != "}":
            raise TemplateError(f"}} expected, not {found!r}", self._at)
        self._at += 1

    def _literal(self, word: str, at: int, largest: int) -> Number:
        if _DECIMAL.fullmatch(word):
            amount = int(word)
        elif _HEXADECIMAL.fullmatch(word):
            amount = int(word, 16)
        else:
            raise TemplateError(f"{quoted(word)} is no number: decimal digits, or 0x and up to 16 hexadecimal ones", at)
        if amount > largest:
            raise TemplateError(f"{word} is too large: at most {largest}", at)
        if self._next() == "[":
            raise TemplateError("a number has no slices; name the capture that is meant", self._at)
        return values.number(amount)

    def _looked_up(self, word: str, at: int) -> Value:
        """Parse a placeholder, a variable or a capture."""
        if (placeholder := PLACEHOLDERS.get(word)) is not None:
            return placeholder
        if word.startswith("vars."):
            if not is_variable(word[5:]):
                raise TemplateError(
                    f"{quoted(word[5:])} is no variable's name: letters, digits, _ and -, no digit first", at
                )
            return placeholders.variable(word[5:])
        if _DECIMAL.fullmatch(word):
            return self._numbered(int(word), at)
        if word in self._captures and not is_reserved(word):
            return placeholders.capture(word)
        raise self._unknown(word, at)

    def _numbered(self, group: int, at: int) -> Bytes:
        if 1 <= group <= self._groups:
            return placeholders.capture(group)
        if not self._groups:
            raise TemplateError(f"no capture {group}: no regex with a group makes the rule match", at)
        raise TemplateError(f"no capture {group}: they are 1 to {self._groups}", at)

    def _sliced(self, value: Value, word: str) -> Bytes:
        if isinstance(value, Number):
            raise TemplateError(f"{word} is a number, which has no slices", self._at)
        found = _SLICE.match(self._text, self._at)
        if found is None:
            raise TemplateError("no slice: [6], [-1], [0:4], [4:] or [:-7] are", self._at)
        self._at = found.end()
        start, stop = (int(found[name]) if found[name] else None for name in ("start", "stop"))
        if found["index"]:
            start = int(found["index"])
            stop = start + 1 or None  # behind the last byte there is no index that counts from the end
        return placeholders.sliced(value, slice(start, stop))

    def _applied(self, word: str, at: int, depth: int) -> Value:
        """Parse the argument of the function `word`, after its colon."""
        if depth == DEEPEST:
            raise TemplateError(f"more than {DEEPEST} functions within each other", at)
        if word == "hex":
            return self._hex()
        if word == "now":
            return self._now()
        if word == "random":
            return self._random()
        function = FUNCTIONS.get(word)
        if function is None:
            raise self._no_function(word, at)
        return self._called(function, at, depth + 1)

    def _called(self, function: Function, at: int, depth: int) -> Value:
        arguments: list[Value] = []
        for index in range(function.arguments):
            if index:
                self._comma()
            if function.largest is None:
                arguments.append(self._value(numeric=False, depth=depth))
            else:
                arguments.append(self._value(numeric=True, largest=function.largest, depth=depth))
        try:
            return function.make(*arguments)
        except TooLong:
            raise TemplateError(f"makes more than {MOST} bytes", at) from None

    def _comma(self) -> None:
        found = self._next()
        if found != ",":
            raise TemplateError(f"a comma and one more number expected, not {found!r}", self._at)
        self._at += 1
        while self._next() == " ":
            self._at += 1

    def _hex(self) -> Bytes:
        at = self._at
        end = _HEX_END.search(self._text, at)
        assert end is not None, "there is always an end"
        self._at = end.start()
        self._next()
        pairs = self._text[at : self._at]
        wrong = _NOT_HEXADECIMAL.search(pairs)
        if wrong is not None:
            raise TemplateError(f"{wrong.group()!r} is no hexadecimal digit", at + wrong.start())
        if not pairs.strip():
            raise TemplateError("hex: needs digits, as in hex:00 2a", at)
        if len(re.sub(r"\s", "", pairs)) % 2:
            raise TemplateError("odd number of hexadecimal digits", at)
        try:
            return values.literal(bytes.fromhex(pairs))
        except ValueError:
            raise TemplateError("white space within a pair of hexadecimal digits", at) from None

    def _now(self) -> Bytes:
        at, end = self._at, self._text.find("}", self._at)
        if end < 0:
            raise TemplateError("${ without its }", self._opened)
        if end == at:
            raise TemplateError("now: needs a format, as in now:%Y-%m-%dT%H:%M:%SZ", at)
        self._at = end
        try:
            return placeholders.now(clock.strftime(self._text[at:end]))
        except clock.UnknownDirective as problem:
            known = " ".join(sorted(clock.DIRECTIVES, key=lambda name: (name.lower(), name)))
            raise TemplateError(
                f"unknown directive {problem.directive}; after a % may stand one of {known}", at + problem.position
            ) from None

    def _random(self) -> Bytes:
        at, word = self._at, self._word()
        self._next()
        if not _DECIMAL.fullmatch(word) or not 1 <= int(word) <= MOST:
            raise TemplateError(f"random: takes a number of bytes, 1 to {MOST}, not {quoted(word)}", at)
        return placeholders.random(int(word))

    def _no_function(self, word: str, at: int) -> TemplateError:
        """Return the error for a word before a colon that is not a function."""
        if not word:
            return TemplateError("a value expected, not ':'", at)
        if word in PLACEHOLDERS or word in self._captures or word.startswith("vars."):
            return TemplateError(f"{word} takes no argument", at)
        if _PAD.fullmatch(word):
            return TemplateError(f"{quoted(word)} is no padding: pad1 to pad{WIDEST_PAD}, as in pad3:sum8:request", at)
        known = [name for name in FUNCTIONS if not _PAD.fullmatch(name)] + [_USUAL_PAD, *_RAW]
        return TemplateError(f"unknown function {quoted(word)}{suggestion(word, known)}", at)

    def _unknown(self, word: str, at: int) -> TemplateError:
        """Return the error for an unknown word in place of a placeholder."""
        following = self._next()
        if not word and following == "$":
            return TemplateError("no ${ within ${…}: functions nest as in u16be:len:request", at)
        if not word:
            return TemplateError(f"a value expected, not {following!r}", at)
        if word in _RAW or word in FUNCTIONS:
            return TemplateError(f"{word} needs an argument, as in {_RAW.get(word) or _example(word)}", at)
        known = [*PLACEHOLDERS, "vars.NAME", *self._captures]
        listed = f"; captures: {', '.join(sorted(self._captures))}" if self._captures else ""
        return TemplateError(f"unknown placeholder {quoted(word)}{suggestion(word, known) or listed}", at)


def _settle(plain: list[str], found: list[Value]) -> None:
    """Turn the text before a value into a value of its own, if there is any."""
    data = "".join(plain).encode()
    plain.clear()
    if data:
        found.append(values.literal(data))


def _example(name: str) -> str:
    function = FUNCTIONS[name]
    if function.arguments > 1:
        return f"{name}:request[0],0x80"
    return f"{name}:request" if function.largest is None else f"{name}:len:request"
