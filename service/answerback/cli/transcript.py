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


def _told(event: "Event") -> Iterator[str]:  # noqa: C901, PLR0912 - one case an event
    from answerback.core.escapes import escape, quote
    from answerback.explain import events

    time = f"{event.at:9.3f} s"
    match event:
        case events.Received(_, data):
            yield f'{time} > "{escape(data)}"'
        case events.Connected(_, number):
            yield f"{time}   connection {number} begins"
        case events.TurnedTo(_, number):
            yield f"{time}   connection {number} goes on"
        case events.ReceivedEof():
            yield f"{time} > closes its half (FIN)"
        case events.AcceptMode(_, accept):
            yield f"{time}   {_MEETS[accept]}: accept is {accept}"
        case events.Discarded(_, data):
            yield f"{time} > {quote(data)}: discarded, the connection is closed"
        case events.Evaluated():
            yield from _asked(event)
        case events.Sent(_, data):
            yield f'{time} < "{escape(data)}"'
        case events.Waits(_, seconds):
            yield f"{_MARGIN}waits {seconds:g} s"
        case events.Strikes(_, fault):
            yield f"{_MARGIN}{fault} applies: {fault.kind}"
        case events.Holds(_, ignore_fin):
            until = " even when the client closes its half (FIN)" if ignore_fin else ""
            yield f"{_MARGIN}hangs: sends nothing more and does not close{until}"
        case events.Enters(_, state):
            yield f'{_MARGIN}enters state "{state}"'
        case events.VariableSet(_, name, value):
            yield f"{_MARGIN}sets vars.{name} to {quote(value)}"
        case events.FramingChanged(_, framing, once):
            yield f"{_MARGIN}reads {'the next request' if once else 'following requests'} with framing {framing}"
        case events.Takes(_, framing, variable):
            into = f" into vars.{variable}" if variable else ""
            yield f"{_MARGIN}receives one more frame ({framing}){into}"
        case events.WaitsForSignal(_, signal, timeout):
            yield f"{_MARGIN}waits for the signal {signal}, for at most {timeout:g} s"
        case events.GivesSignal(_, signal):
            yield f"{_MARGIN}gives the signal {signal}"
        case events.NotExpected(_, data, miss):
            yield f"{_MARGIN}received {quote(data)}, which is not expected: it {miss.why}"
        case events.HalfCloses():
            yield f"{time} < closes its half (FIN), still reads"
        case events.Incomplete(_, data, framing, why):
            yield f"{_MARGIN}incomplete request: {quote(data)} ({framing}): {why}"
        case events.Closed(_, reset, reason):
            yield f"{time} < {'resets (RST)' if reset else 'closes (FIN)'}: {reason}"
        case events.Open(_, state):
            yield f"{time}   stays open" + (f', in state "{state}"' if state else "")


def _asked(asked: Any) -> Iterator[str]:
    from answerback.core.escapes import quote

    what = f"request {asked.number}: {quote(asked.request)} ({asked.framing})" if asked.number else asked.event
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
