"""How commands write their data: tables for people, JSON and YAML for programs."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

# Rule: this is the one door to the terminal: what a server, a peer or a file says is written by `line`, `document`,
#       `write` and `table`, which escape what could steer a terminal or hide in a text. No other module prints.
# Rule: nothing from a peer or a file is taken as rich's markup.

UNBOUNDED: Final = 1 << 16  # columns if the output is not a terminal: the reader cuts it

_BARE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))  # YAML 1.1's, for old readers


def on_terminal() -> bool:
    """Whether a confirmation can be asked for."""
    return sys.stdin.isatty() and sys.stderr.isatty()


# Printable for Python, and invisible or drawn over the character before (Unicode's Default_Ignorable_Code_Point).
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: str) -> str:
    """The text with everything escaped that is not plainly seen: a comment may come from any client.

    These are controls (C0, DEL, C1), line and paragraph separators, marks of direction, characters without a width,
    surrogates and unassigned ones.
    """
    if text.isprintable() and (text.isascii() or not _INVISIBLE.search(text)):
        return text
    return "".join(one if _seen(one) else one.encode("unicode_escape").decode() for one in text)


def _seen(one: str) -> bool:
    return one.isprintable() and not _INVISIBLE.match(one)


def line(text: str = "", *, err: bool = False, colour: str | None = None) -> None:
    """Print one line, whatever is in the text. `colour` is for a terminal."""
    shown = printable(text)
    click.echo(click.style(shown, fg=colour) if colour else shown, err=err, color=bool(colour) or None)


def document(text: str, *, err: bool = False) -> None:
    """Print lines that are ours: what a server says in them has its line ends escaped already."""
    for each in text.rstrip("\n").split("\n"):
        line(each, err=err)


def as_json(data: Any, indent: int | None = None) -> str:
    """JSON, with escapes for what is not plainly seen; any reader takes them for the same text."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        one if one == "\n" or _seen(one) else json.dumps(one)[1:-1].replace("\x7f", "\\u007f") for one in text
    )


def plain(message: Any) -> dict[str, Any]:
    """A protobuf message as data for JSON: the names of the .proto, numbers as numbers, times as RFC 3339.

    As in protobuf's own JSON, but for 64-bit integers, which are quoted there.
    """
    return {
        field.name: _plain_field(message, field)
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def canonical(config: Any) -> dict[str, Any]:
    """A configuration as data, as the API and `show` speak it."""
    from google.protobuf import json_format

    try:
        data: dict[str, Any] = json_format.MessageToDict(config, preserving_proto_field_name=True)
    except (json_format.Error, ValueError) as error:
        raise _unfit(error) from None
    return data


def moment(stamp: str | None) -> str:
    """An RFC 3339 time to the second."""
    return f"{stamp[:19]}Z" if stamp else "-"


def origin(revision: Mapping[str, Any]) -> str:
    """Where a revision came from, and from whom, if that was proved."""
    identity = revision["identity"]
    return f"{revision['origin']} ({identity})" if identity else str(revision["origin"])


def _plain_field(message: Any, field: Any) -> Any:
    value = getattr(message, field.name)
    return [_plain_value(one, field) for one in value] if field.is_repeated else _plain_value(value, field)


def _plain_value(value: Any, field: Any) -> Any:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value  # of a newer server
    if field.message_type is None:
        return value
    if field.message_type.file.package == "google.protobuf":
        return _time(value)
    return canonical(value) if field.message_type.full_name == "answerback.v1.Config" else plain(value)


def _time(value: Any) -> str:
    try:
        return str(value.ToJsonString())
    except ValueError as error:
        raise _unfit(error) from None


def _unfit(error: Exception) -> click.ClickException:
    return click.ClickException(f"cannot display the server's response: {error}")


def word(enum: Any, number: int, prefix: str) -> str:
    """A value of an enum without its prefix; the number, if only a newer version knows it."""
    known = enum.DESCRIPTOR.values_by_number.get(number)
    return str(known.name).removeprefix(prefix) if known else str(number)


def write(data: Mapping[str, Any], form: str) -> None:
    """Print data as `json` or `yaml`."""
    if form == "json":
        document(as_json(data, indent=2))
    else:
        for each in _yaml(data):
            line(each)


def _yaml(value: Any) -> Iterable[str]:
    """Block style; scalars are JSON's, of which YAML 1.2 is a superset."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _nested(f"{key}:", item, "  ")
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for item in value:
            lines = iter(_yaml(item))
            yield f"- {next(lines)}"
            yield from (f"  {line}" for line in lines)
    elif isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS:
        yield value
    else:
        quoted = json.dumps(value, ensure_ascii=False)
        yield "".join(one if _seen(one) else f"\\U{ord(one):08x}" for one in quoted)


def _nested(key: str, item: Any, indent: str) -> Iterable[str]:
    if isinstance(item, (Mapping, list)) and item:
        yield key
        yield from (f"{indent}{line}" for line in _yaml(item))
    else:
        yield f"{key} {next(iter(_yaml(item)))}"


def changed(answer: Any, form: str, *, dry_run: bool) -> None:
    """Print the result of a change: a sentence, or the response without the configuration."""
    if form == "table":
        line(_said(answer, dry_run=dry_run))
    else:
        data = plain(answer)
        data.pop("config", None)
        write(data, form)


def _said(answer: Any, *, dry_run: bool) -> str:
    if dry_run:
        return f"valid; revision {answer.revision} is still active (dry run)"
    if not answer.changed:
        return f"no change: identical to active revision {answer.revision}"
    return f"revision {answer.revision} is active on {answer.workers} worker{'s' if answer.workers != 1 else ''}"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under the names of their columns; numbers to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        numeric = bool(cells) and all(row[index].isdigit() for row in cells)
        shown.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        shown.add_row(*map(Text, row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNBOUNDED, highlight=False).print(shown)
