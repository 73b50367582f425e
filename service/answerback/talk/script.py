"""The format of a talk: one instruction a line. docs/reference/talks.md describes it for users."""

# Rule: nothing here opens a socket or knows the time.
# Rule: `parse` reports every line that it cannot read, with its number.

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection; the current one is dropped, or with a name stays open beside it."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class ConnectFails:
    """Expect that a connection is refused, or with `timeout` gets no answer within these seconds."""

    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class SwitchTo:
    """Go on with the connection of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendEof:
    """Close the sending half."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin TLS: shake hands, and go on inside."""


@dataclass(frozen=True, slots=True)
class Expect:
    """Expect exactly these bytes next, however they are segmented."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ExpectLine:
    """Expect a line, up to LF, in which the pattern is found; as Latin-1 text."""

    pattern: "re.Pattern[str]"


@dataclass(frozen=True, slots=True)
class ExpectEof:
    """Expect an orderly close with no bytes left."""


@dataclass(frozen=True, slots=True)
class ExpectReset:
    """Expect a reset."""


@dataclass(frozen=True, slots=True)
class ExpectSilence:
    """Expect no bytes for these seconds, with the connection open."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Within:
    """The next expectation is fulfilled this many seconds, at least and at most, after what came before it."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for these seconds."""

    seconds: float


Action = (
    Connect
    | ConnectFails
    | SwitchTo
    | Send
    | SendEof
    | StartTls
    | Expect
    | ExpectLine
    | ExpectEof
    | ExpectReset
    | ExpectSilence
    | Within
    | Wait
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """A line of a talk."""

    number: int
    """From 1."""
    text: str
    action: Action


class TalkError(ValueError):
    """Lines that are no instructions."""

    def __init__(self, problems: "list[tuple[int, str]]") -> None:
        super().__init__("; ".join(f"line {number}: {message}" for number, message in problems))
        self.problems = problems
        """Number of the line, and what is wrong with it."""


def parse(text: str) -> list[Instruction]:
    """The instructions of a talk. Raises TalkError with every line that is none."""
    instructions, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            instructions.append(Instruction(number, stripped, _action(stripped)))
        except ValueError as error:
            problems.append((number, str(error)))
    if problems:
        raise TalkError(problems)
    return instructions


def payload(word: str) -> bytes:
    r"""Read bytes: a JSON string in which `\u00ff` is the byte ff, or `hex 00 ff`. Raises ValueError."""
    if word.startswith("hex "):
        try:
            return bytes.fromhex(word[4:])
        except ValueError:
            raise ValueError(f"{word!r} has to have two hex digits for each byte, such as hex 00 ff") from None
    try:
        text: str = json.loads(word if word.startswith('"') else "")
    except ValueError:
        raise ValueError(f'{word} is neither a JSON string, such as "PING\\r\\n", nor hex, such as hex 00 ff') from None
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{word} has a character past \\u00ff; write its bytes, or use hex") from None


def _action(line: str) -> Action:
    verb, _, rest = line.partition(" ")
    if verb not in _VERBS:
        raise ValueError(f"no such instruction: {verb!r}; there are {', '.join(_VERBS)}")
    return _VERBS[verb](rest.strip())


def _connect(rest: str) -> Action:
    first, _, seconds = rest.partition(" ")
    if first == "timeout":
        return ConnectFails(_seconds(seconds))
    return Connect(_name(rest) if rest else "")


def _refused(rest: str) -> Action:
    _alone("refused", rest)
    return ConnectFails()


def _start_tls(rest: str) -> Action:
    _alone("starttls", rest)
    return StartTls()


def _send(rest: str) -> Action:
    return SendEof() if rest == "eof" else Send(payload(rest))


def _expect(rest: str) -> Action:
    if rest == "eof":
        return ExpectEof()
    if rest == "reset":
        return ExpectReset()
    if rest.partition(" ")[0] == "silence":
        return ExpectSilence(_seconds(rest.partition(" ")[2]))
    if rest.startswith("/"):
        if len(rest) < len("//") or not rest.endswith("/"):
            raise ValueError(f"{rest} does not end with /")
        try:
            return ExpectLine(re.compile(rest[1:-1]))
        except re.error as error:
            raise ValueError(f"{rest}: {error}") from None
    return Expect(payload(rest))


def _within(rest: str) -> Action:
    bounds = rest.split()
    if len(bounds) != len(("least", "most")):
        raise ValueError("within needs two numbers of seconds, such as within 0.2 0.5")
    least, most = map(_seconds, bounds)
    if least > most:
        raise ValueError(f"within {rest}: {bounds[0]} is more than {bounds[1]}")
    return Within(least, most)


def _seconds(word: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", word.strip()):
        raise ValueError(f"{word!r} is not a number of seconds, such as 0.5")
    return float(word)


def _name(word: str) -> str:
    if not word or len(word.split()) != 1:
        raise ValueError(f"{word!r} is not the name of a connection: one word")
    return word


def _alone(verb: str, rest: str) -> None:
    if rest:
        raise ValueError(f"nothing can follow {verb}")


_VERBS: Final[dict[str, Callable[[str], Action]]] = {
    "connect": _connect,
    "as": lambda rest: SwitchTo(_name(rest)),
    ">": _send,
    "<": _expect,
    "within": _within,
    "wait": lambda rest: Wait(_seconds(rest)),
    "refused": _refused,
    "starttls": _start_tls,
}
