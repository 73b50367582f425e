"""Write docs/reference/expressions.md from the descriptions of names, operators and functions.

`python -m tools.expressions`; `make proto` runs it.
"""

# Rule: what is said here of a name, an operator or a function comes from its description in language/expressions.

from collections.abc import Iterable, Iterator
from typing import Final

from answerback.core.escapes import escape
from answerback.language.captures import Captures
from answerback.language.expressions import ExpressionError, Scope, compile_template
from answerback.language.expressions.functions import FUNCTIONS
from answerback.language.expressions.functions.time import WORDS
from answerback.language.expressions.names import NAMES, OTHER_NAMES, ROOTS, Name
from answerback.language.expressions.operators import ARITHMETIC, ORDER, OTHERS, UNARY, Operator
from answerback.language.framing import FRAMINGS
from tools import proto

PAGE: Final = proto.ROOT / "docs" / "reference" / "expressions.md"
HEAD: Final = """# Expressions

<!-- Written by `make proto` from service/answerback/language/expressions and tools/expressions.py: change those. -->

An expression computes a value from the request and its connection. It stands

- between `${` and `}` in a `template`: `send: {template: "+ECHO ${upper(request)}\\r\\n"}`. `$$` is a dollar,
  and a single `$` an error; the text between the values is sent as UTF-8. `${N}`, with digits only, is a
  capture.
- in `size_from`: `framing: {fixed: {size_from: "be(request[2:4]) + 2"}}`.
- in `when: {expr: …}`: `when: {expr: "request[0] & 0x80 != 0"}`.

The syntax is a part of Python's. An expression is read and checked when the configuration is loaded; it cannot
run code. Every mistake is an error with its position in the text. Tests run every example on this page, and
compare expressions with Python.

## Values

- A value is bytes, an int or a bool (`True`, `False`). Types are checked when the configuration is loaded, and
  never convert by themselves: `str(n)` makes digits of an int, `int(x)` reads digits, `be(x)` and `le(x)` read
  binary numbers.
- A template takes bytes, or an int, which is sent as its digits. It takes no bool, and not a single index:
  write `request[4:5]` for the byte, or `str(request[4])` for its number. `size_from` takes an int, `expr` a
  bool.
- `'…'` is the UTF-8 of its characters, with the escapes `\\n \\r \\t \\0 \\\\ \\' \\xNN \\uNNNN` of Python;
  `b'…'` has ASCII characters and every `\\xNN`; `r'…'` has no escapes. In `'…'`, `\\x80` to `\\xff` are
  rejected, because they could be a byte or a character. Inside a literal, line ends, `}` and `$` have no other
  meaning.
- An int is -2⁶³ to 2⁶⁴-1: `10`, `0x0a`, `0o12`, `0b1010`.

## Evaluation

- A slice past the end, an unset variable and a group that did not match are empty bytes.
- An evaluation fails if there is no value: an index past the end, digits that are not a number, a division by
  zero, a result out of range. Then an `expr` is false as a whole, `size_from` closes the connection as
  `malformed_request`, and any other step sends nothing and closes the connection as `reply_failed`; what
  earlier steps sent stays sent. What fails each time is rejected when the configuration is loaded.
- In `all`, conditions are tried in order. The captures of a pattern are names in the `expr` conditions behind
  it, and in the steps of the rule. `${1}` is group 1 of the last pattern that has one.
- On an event that is no request, `request`, captures and what a framing provides are rejected. Everything else
  exists.
- A condition that depends only on the bytes of the request may be remembered with its reply. `expr:
  "request[0:4] == 'PING'"` is as fast as `prefix: PING`, and `expr: "request == 'PING'"` is `equals: PING`.

| bound | value |
| --- | --- |
| the text of an expression | 1 KiB |
| operators, functions and brackets in one another | 32 |
| every value that is made | 1 MiB |
| what functions read and write in one evaluation | 4 MiB |
| patterns of `matches` | count with all other patterns of the configuration |

A template that would be longer closes the connection as `reply_too_large`. In the budget of 4 MiB each byte
counts as 16 for {slow}.

The examples below use the request `SET key 42`, the third on its connection, which the pattern `^(?P<verb>\\w+)
(?P<key>\\w+) (?P<size>\\d+)$` matched in the rule `store`; the variable `user` is `ann`, the state `ready`, the
seed 7, and the time 2025-01-02, 03:04:05.067890 UTC. `\\x2a` is the byte 2a.
"""
ERRORS: Final = (
    "${reqest}",
    "${lenn(request)}",
    "${u16be(key)}",
    "${u16be:len:key}",
    "${request[4]}",
    "${4}",
    "${vars.user-name}",
    "${len(key}",
    "${u8(300)}",
    "$1",
)


def page() -> str:
    """The reference as Markdown."""
    return "\n".join([*_head(), *_names(), *_operators(), *_functions(), *_time(), *_errors()])


def _head() -> Iterator[str]:
    slow = ", ".join(f"`{each.name}`" for each in FUNCTIONS.values() if each.is_slow)
    yield HEAD.replace("{slow}", slow)


def table(head: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table; `|` in cells is escaped."""
    columns = head.count("|") + 1
    yield f"| {head} |"
    yield "|" + " --- |" * columns
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _example(example: str, makes: str) -> tuple[str, str]:
    return f"`{example}`", f"`{makes}`"


def _names() -> Iterator[str]:
    yield "## Names\n"
    yield from table("name | type | what it is | example | makes", map(_name, (*NAMES.values(), *OTHER_NAMES)))
    yield "Names of captures cannot be `" + "`, `".join(sorted(ROOTS)) + "`.\n"
    yield "These names exist where a framing of the listener provides them. The examples are of these requests:\n"
    providing = [kind for kind in FRAMINGS if kind.provides]
    yield from table(
        "framing | what the client sends", ((f"`{kind.name}`", f"`{escape(kind.sample)}`") for kind in providing)
    )
    rows = [
        (f"`{field.name}`", field.type.value, f"`{kind.name}`", field.doc, *_example(field.example, field.makes))
        for kind in providing
        for field in kind.provides
    ]
    yield from table("name | type | framing | what it is | example | makes", rows)


def _name(each: Name) -> tuple[str, ...]:
    return (f"`{each.name}`", each.type.value, each.doc, *_example(each.example, each.makes))


def _operators() -> Iterator[str]:
    yield "## Operators\n"
    yield "They bind as in Python: `request[0] & 0xf6 == 0x32` compares what `&` makes.\n"
    found: tuple[Operator, ...] = (*ARITHMETIC.values(), *UNARY.values(), *ORDER.values(), *OTHERS)
    rows = [(f"`{each.symbol}`", each.doc, *_example(each.example, each.makes)) for each in found]
    yield from table("operator | what it makes | example | makes", rows)


def _functions() -> Iterator[str]:
    yield "## Functions\n"
    rows = [
        (f"`{each.form}`", each.result.value, each.doc, *_example(each.example, each.makes))
        for each in FUNCTIONS.values()
    ]
    yield from table("function | type | what it makes | example | makes", rows)


def _time() -> Iterator[str]:
    yield "## Time\n"
    yield "The format of `now` has these directives of C's `strftime`, always in English.\n"
    rows = [(f"`%{name}`", doc, f"`now('%{name}')`", f"`{makes}`") for name, (doc, makes) in WORDS.items()]
    yield from table("directive | what it is | example | makes", rows)


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield from table("template | error", ((f"`{text}`", _error(text)) for text in ERRORS))


def _error(text: str) -> str:
    try:
        compile_template(text, Scope(captures=Captures(frozenset({"verb", "key", "size"}), 3)))
    except ExpressionError as problem:
        return f"{problem.message} (at character {problem.position + 1})"
    raise ValueError(f"{text} is a template")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
