"""Answers of a hostile server never reach the terminal unescaped, in any command."""

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import click
import grpc
import pytest
from click.testing import CliRunner, Result
from google.protobuf import message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from answerback.cli import COMMANDS, LazyGroup, main, output
from answerback.control import schema
from tests.cli.conftest import Api, Cli

HOSTILE = (
    "[red]x[/red][link=http://evil]y[/link]"
    "\x00\x07\x08\x1b[2J\x1b]0;title\x07\r\n\t\x7f"  # C0, DEL
    "\x85\x90\x9b31m\x9d"  # C1
    "\u200b\u200d\u200e\u202a\u202e\u2066\u2069\u2028\u2029\u00ad\ufeff"  # without a width, directions, separators
    "\u034f\u115f\u3164\ufe0f\U000e0041\U000e0101\U000f0000\ufffe"
    "\nError: forged"
)
# What a terminal obeys, what is not seen, what makes two lines of one. Python's idea of what prints has the rest.
FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u034f\u115f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")

CONFIG = "listeners: [{name: a, address: '127.0.0.1:1', rules: [{do: [close]}]}]"
FORMS = ("table", "json", "yaml")
INVOCATIONS: dict[str, tuple[str, ...]] = {
    "show": ("show",),
    "show of a revision": ("show", "--revision", "3"),
    "diff": ("diff", "FILE"),
    "apply": ("apply", "FILE"),
    "apply of nothing": ("apply", "FILE", "--dry-run"),
    "history": ("history", "--limit", "3"),
    "rollback": ("rollback", "1"),
    "watch": ("watch",),
    "status": ("status",),
    "listeners": ("listeners",),
    "listeners list": ("listeners", "list"),
    "listeners set": ("listeners", "set", "a", "accept=STALL"),
    "listeners get": ("listeners", "get", "a"),
    "listeners create": ("listeners", "create", "FILE"),
    "listeners update": ("listeners", "update", "FILE"),
    "listeners delete": ("listeners", "delete", "a"),
    "fault add": ("fault", "add", "a", "drop"),
    "fault remove": ("fault", "remove", "a", "drop"),
    "fault list": ("fault", "list"),
    "explain of a server": ("explain", "--say", "x"),
    "explain of an exchange": ("explain", "--exchange", "1"),
    "drain": ("drain",),
    "resume": ("resume",),
    "restart": ("restart",),
    "reset-counters": ("reset-counters",),
    "signal": ("signal", "go"),
    "requests": ("requests", "--events", "--limit", "3"),
    "tail": ("tail", "--events"),
    "verify": ("verify",),
    "connections": ("connections",),
    "close": ("close", "1-1"),
}
VARIANTS = 12  # members of a oneof, one after another, and values of enums


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, and those below it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def test_every_command_that_calls_a_server_is_tested_with_hostile_answers() -> None:
    assert isinstance(main, LazyGroup)
    asking = {path for path, command in commands(main) if any(each.name == "server" for each in command.params)}
    tested = {each[: 2 if each[0] in {"listeners", "fault"} and len(each) > 1 else 1] for each in INVOCATIONS.values()}
    assert tested == asking
    assert {path[0] for path in asking} <= set(COMMANDS)


def hostile(kind: Any, variant: int, depth: int = 0) -> Message:
    """A message with hostile text in every string, of a choice the `variant`-th member."""
    message: Message = message_factory.GetMessageClass(kind)()
    chosen = {oneof.fields[variant % len(oneof.fields)].name for oneof in kind.oneofs}
    for field in kind.fields:
        if field.containing_oneof is not None and field.name not in chosen:
            continue
        if field.message_type is None:
            value = scalar(field, variant)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
        elif depth < 7:
            inner = getattr(message, field.name)
            child = hostile(field.message_type, variant + (depth if field.name == "of" else 0), depth + 1)
            inner.add().CopyFrom(child) if field.is_repeated else inner.CopyFrom(child)
    return message


def scalar(field: FieldDescriptor, variant: int) -> Any:
    """A value for a field: hostile if it is text, unknown to this version if it is an enum's."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return "" if field.name == "next_page_token" else HOSTILE
    if field.type == FieldDescriptor.TYPE_BYTES:
        return HOSTILE.encode()
    if field.type == FieldDescriptor.TYPE_ENUM:
        numbers = [each.number for each in field.enum_type.values]
        return [*numbers, 77][variant % (len(numbers) + 1)]
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    return 1 if field.full_name.startswith("google.protobuf") else 7


def answers(api: Api, variant: int) -> None:
    """Have every method answered with hostile messages."""
    for file in schema.FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                found = hostile(method.output_type, variant)
                if method.name == "ValidateConfig" and variant % 2:
                    found.Clear()
                api.answers[method.name] = [found] if method.server_streaming else found


def forbid(text: str) -> None:
    """Nothing in a text but what is plainly seen, and the ends of lines."""
    assert FORBIDDEN.findall(text) == []
    assert [one for one in text if one != "\n" and not one.isprintable()] == []
    assert [each for each in text.splitlines() if each.startswith("Error: forged")] == []


def check(result: Result) -> None:
    """What a command has written is harmless, and it has not failed as a program."""
    forbid(result.stdout)
    forbid(result.stderr)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output


@pytest.fixture
def ask(cli: Cli, tmp_path: Path) -> Callable[..., Result]:
    """Run a command as INVOCATIONS says; None if it has no such format."""
    file = tmp_path / "file.yaml"
    file.write_text(CONFIG)

    def run(what: str, form: str) -> Result:
        args = [str(file) if each == "FILE" else each for each in INVOCATIONS[what]]
        return cli(*args, *(("-o", form) if form and what != "diff" else ()))

    return run


def takes(what: str, form: str) -> bool:
    """Whether a command has a format."""
    path = INVOCATIONS[what][: 2 if what.startswith(("listeners ", "fault ")) else 1]
    (command,) = (command for each, command in commands(main) if each == path)
    return any(form in getattr(each.type, "choices", ()) for each in command.params)


@pytest.mark.parametrize(
    "what, form", [(what, form) for what in INVOCATIONS for form in FORMS if what == "diff" or takes(what, form)]
)
def test_hostile_answer_never_reaches_the_terminal_unescaped(
    api: Api, ask: Callable[..., Result], what: str, form: str
) -> None:
    for variant in range(VARIANTS):
        answers(api, variant)
        result = ask(what, form)
        check(result)
        if form == "json" and result.exit_code == 0:
            decoder, rest = json.JSONDecoder(), result.stdout.strip()
            while rest:
                _, end = decoder.raw_decode(rest)
                rest = rest[end:].strip()


@pytest.mark.parametrize("what", ["status", "history", "watch", "resume", "listeners"])
def test_hostile_answer_is_printed_escaped_without_markup(api: Api, ask: Callable[..., Result], what: str) -> None:
    answers(api, 0)
    shown = ask(what, "table").stdout
    assert "[red]x[/red][link=http://evil]y[/link]\\x00\\x07\\x08\\x1b[2J" in shown
    assert "\\x9b31m" in shown
    assert "\\u202e" in shown


def test_json_output_of_hostile_answer_parses_to_the_same_text(api: Api, ask: Callable[..., Result]) -> None:
    answers(api, 0)
    status = json.loads(ask("status", "json").stdout)
    assert status["reason"] == HOSTILE
    assert status["last_rejected"]["problems"][0]["message"] == HOSTILE


def aborting(code: grpc.StatusCode, details: list[Message], status_code: int | None = None) -> Callable[[Any], Any]:
    """Has a call end with hostile text, and with a status beside it that has these details."""

    def abort(context: Any) -> None:
        status = Status(code=code.value[0] if status_code is None else status_code, message=HOSTILE)
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, HOSTILE)

    return abort


CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
REFUSED = [
    ErrorInfo(reason="CONFIG_REJECTED", domain=HOSTILE),
    BadRequest(field_violations=[BadRequest.FieldViolation(field=HOSTILE, description=HOSTILE)]),
]


@pytest.mark.parametrize("what", INVOCATIONS)
def test_hostile_error_never_reaches_the_terminal_unescaped(api: Api, ask: Callable[..., Result], what: str) -> None:
    outcomes = [aborting(code, []) for code in CODES]
    outcomes.append(aborting(grpc.StatusCode.INVALID_ARGUMENT, list(REFUSED)))
    outcomes.append(aborting(grpc.StatusCode.INVALID_ARGUMENT, list(REFUSED), 3_000))  # another code beside it
    for outcome in outcomes:
        for file in schema.FILES:
            for service in file.services_by_name.values():
                for method in service.methods:
                    api.answers[method.name] = outcome
        result = ask(what, "")
        check(result)
        assert result.exit_code in {1, 2}
        assert result.stderr.startswith(("Error: ", "file.yaml", "/", "a: ", "fault of a: ", "revision 1: "))


def test_malformed_error_status_prints_no_traceback(api: Api, ask: Callable[..., Result]) -> None:
    def garbage(context: Any) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, HOSTILE)

    api.answers["GetStatus"] = garbage
    result = ask("status", "table")
    check(result)
    assert "[red]x[/red]" in result.stderr


@pytest.mark.parametrize("form", FORMS)
def test_hostile_text_in_a_confirmation_is_printed_escaped(
    api: Api, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    file = tmp_path / "file.yaml"
    file.write_text(CONFIG)
    for variant in range(VARIANTS):
        answers(api, variant)
        check(cli("apply", str(file), "-o", form, stdin=b"n\n"))
        check(cli("apply", str(file), "-o", form, stdin=b"y\n"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [200, 503])
def test_hostile_metrics_answer_is_printed_escaped(status: int, form: str) -> None:
    class Hostile(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status, "evil \x9b31m")
            self.end_headers()
            self.wfile.write(HOSTILE.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hostile) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        result = CliRunner().invoke(main, ["health", "--metrics", f"127.0.0.1:{server.server_port}", "-o", form])
        thread.join()
    check(result)
    assert "[red]x[/red]" in result.output
    assert result.exit_code == (0 if status == 200 else 1)


@pytest.mark.parametrize(
    "args", [("check", "/no/{}"), ("rollback", "{}"), ("{}",), ("listeners", "{}"), ("show", "--{}")]
)
def test_hostile_argument_is_printed_escaped(cli: Cli, args: tuple[str, ...]) -> None:
    hostile_text = HOSTILE.replace("\0", "").replace("\n", "")
    result = cli(*(each.format(hostile_text) for each in args))
    check(result)
    assert result.exit_code in {1, 2}
    assert "[red]x[/red]" in result.stderr


def test_command_line_modules_print_through_the_output_module_only() -> None:
    folder = Path(output.__file__).parent
    printing = {
        path.name
        for path in folder.glob("*.py")
        if re.search(r"\bclick\.(secho|echo)\(|\bprint\(|sys\.std(out|err)\.write", path.read_text())
    }
    assert printing == {"output.py", "completion.py", "examples.py", "version.py"}  # the last three say what is ours
