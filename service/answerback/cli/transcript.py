"""How `answerback explain` writes a transcript: as text for people, as data for programs."""

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from answerback.explain import Event, Transcript

_MARGIN = " " * 12
_MEETS = {
    "REFUSE": "refuses the connection",
    "STALL": "does not answer the SYN",
    "CLOSE": "accepts, then closes at once (FIN)",
    "RESET": "accepts, then resets at once (RST)",
    "HOLD": "accepts, then neither reads nor replies",
}


def lines(transcript: "Transcript") -> Iterator[str]:
    """`SECONDS > "received"`, `SECONDS < "sent"`, and what happens between them."""
    for event in transcript.events:
        yield from _told(event)
    if transcript.cut_short:
        yield f"{_MARGIN}… output stops after {len(transcript.events)} events"


def _told(event: "Event") -> Iterator[str]:
    """An event in one line, or in several if it was given to the rules."""
    from answerback.explain import events

    if isinstance(event, events.Evaluated):
        yield from _asked(event)
    elif line := _at_the_client(event) or _at_the_upstream(event):
        yield f"{event.at:9.3f} s {line}"
    else:
        yield f"{_MARGIN}{_in_the_server(event)}"


def _at_the_client(event: "Event") -> str:  # noqa: C901, PLR0911 - one case an event
    """What a client sends or notices, which is shown with its time. Empty for other events."""
    from answerback.core.escapes import escape, quote
    from answerback.explain import events

    match event:
        case events.Received(_, data):
            return f'> "{escape(data)}"'
        case events.ReceivedEof():
            return "> closes its half (FIN)"
        case events.Discarded(_, data):
            return f"> {quote(data)}: discarded, the connection is closed"
        case events.Connected(_, number, peer):
            return f"  connection {number} begins{f', from {peer}' if peer else ''}"
        case events.TurnedTo(_, number):
            return f"  connection {number} goes on"
        case events.AcceptMode(_, accept):
            return f"  {_MEETS[accept]}: accept is {accept}"
        case events.Sent(_, data):
            return f'< "{escape(data)}"'
        case events.HalfCloses():
            return "< closes its half (FIN), still reads"
        case events.Closed(_, reset, reason):
            return f"< {'resets (RST)' if reset else 'closes (FIN)'}: {reason}"
        case events.Open(_, state):
            return "  stays open" + (f', in state "{state}"' if state else "")
    return ""


def _at_the_upstream(event: "Event") -> str:
    """What the upstream gets and sends. Empty for other events."""
    from answerback.core.escapes import escape
    from answerback.explain import events

    match event:
        case events.Forwarded(_, data):
            return f'  forwarded to the upstream: "{escape(data)}"'
        case events.Replied(_, data):
            return f'  the upstream sends: "{escape(data)}"'
        case events.Owes(_, replies):
            return f"  the upstream owes {replies} repl{'y' if replies == 1 else 'ies'}"
    return ""


def _in_the_server(event: "Event") -> str:  # noqa: C901, PLR0911 - one case an event
    """What a script or a fault does before a client notices it."""
    from answerback.core.escapes import quote
    from answerback.explain import events

    match event:
        case events.Waits(_, seconds):
            return f"waits {seconds:g} s"
        case events.Strikes(_, fault):
            return f"{fault} applies: {fault.kind}"
        case events.Holds(_, ignore_fin):
            until = " even when the client closes its half (FIN)" if ignore_fin else ""
            return f"hangs: sends nothing more and does not close{until}"
        case events.Enters(_, state):
            return f'enters state "{state}"'
        case events.VariableSet(_, name, value):
            return f"sets vars.{name} to {quote(value)}"
        case events.FramingChanged(_, framing, once):
            return f"reads {'the next request' if once else 'following requests'} with framing {framing}"
        case events.Takes(_, framing, variable):
            into = f" into vars.{variable}" if variable else ""
            return f"receives one more frame ({framing}){into}"
        case events.WaitsForSignal(_, signal, timeout):
            return f"waits for the signal {signal}, for at most {timeout:g} s"
        case events.GivesSignal(_, signal):
            return f"gives the signal {signal}"
        case events.BeginsTls():
            return "begins TLS: what follows is inside"
        case events.NotExpected(_, data, miss):
            return f"received {quote(data)}, which is not expected: it {miss.why}"
        case events.Incomplete(_, data, framing, why):
            return f"incomplete request: {quote(data)} ({framing}): {why}"
    raise AssertionError(f"no words for {event}")


def _asked(asked: Any) -> Iterator[str]:
    from answerback.core.escapes import quote

    what = f"request {asked.number}: {quote(asked.request)} ({asked.framing})" if asked.number else asked.event
    if asked.event == "REPLY":
        what = f"reply: {quote(asked.request)}"
    yield f"{_MARGIN}{what}" + (f', in state "{asked.state}"' if asked.state else "")
    for each in asked.passed_over:
        yield f"{_MARGIN}  not {each.rule}: {each.miss.why}{' ← nearest' if each.nearest else ''}"
    yield f"{_MARGIN}  no rule matches" if asked.rule is None else f"{_MARGIN}  {asked.rule} matches"


def data(transcript: "Transcript") -> dict[str, Any]:
    """The transcript as data for JSON."""
    return {
        "listener": transcript.listener,
        "answered": transcript.answered,
        "cut_short": transcript.cut_short,
        "events": [{"type": event.type, **_plain(event)} for event in transcript.events],
    }


def _plain(value: Any) -> Any:
    """Data for JSON; bytes as `--say` takes them."""
    from answerback.core.escapes import escape

    if isinstance(value, bytes):
        return escape(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value
