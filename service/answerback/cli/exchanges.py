"""What commands about the journal share: the options that choose exchanges, and how exchanges are written."""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import click

from answerback.cli import output
from answerback.core.escapes import escape, unescape

F = TypeVar("F", bound=Callable[..., Any])

ROW: Final = 16  # bytes of a line of a dump
STATES: Final = ("in-progress", "done", "abandoned")
MATCHES: Final = ("equals", "prefix", "suffix", "contains", "regex", "expr")
NAMES: Final = ("listener", "rule", "connection", "peer", "unmatched", "faulted", "state", "since")


def chosen(function: F) -> F:
    """The options that choose exchanges; `filter_of` makes a filter of them."""
    escapes = r"with the escapes \r \n \t \0 \\ \xNN"
    for option in (
        click.option("--since", default="", metavar="MARK", help="Only exchanges since a mark (`requests --mark`)."),
        click.option("--state", type=click.Choice(STATES), help="Only exchanges in this state."),
        click.option("--faulted", is_flag=True, help="Only exchanges that a fault applied to."),
        click.option("--unmatched", is_flag=True, help="Only requests that no rule matched."),
        click.option("--expr", metavar="EXPR", help="Only requests for which this expression is true."),
        click.option("--regex", metavar="RE2", help="Only requests in which this pattern matches."),
        click.option("--contains", metavar="TEXT", help="Only requests that contain these bytes."),
        click.option("--suffix", metavar="TEXT", help="Only requests that end with these bytes."),
        click.option("--prefix", metavar="TEXT", help="Only requests that begin with these bytes."),
        click.option("--equals", metavar="TEXT", help=f"Only requests that are these bytes, {escapes}."),
        click.option("--peer", default="", metavar="ADDR", help="Only those of this client: HOST, or HOST:PORT."),
        click.option("--connection", default="", metavar="ID", help="Only those of this connection."),
        click.option("--rule", default="", metavar="NAME", help="Only those that this rule answered."),
        click.option("--listener", default="", metavar="NAME", help="Only those of this listener."),
    ):
        function = option(function)
    return function


def filter_of(given: dict[str, Any]) -> Any:
    """Take the options of `chosen` out of `given`, and return them as a filter."""
    from answerback.v1 import config_pb2, journal_service_pb2

    taken = {name: given.pop(name) for name in NAMES}
    conditions = [condition for name in MATCHES if (condition := _condition(name, given.pop(name))) is not None]
    state = taken.pop("state")
    found = journal_service_pb2.ExchangeFilter(**taken)
    if state is not None:
        found.state = journal_service_pb2.ExchangeState.Value(f"EXCHANGE_STATE_{state.upper().replace('-', '_')}")
    if len(conditions) == 1:
        found.match.CopyFrom(conditions[0])
    elif conditions:
        found.match.CopyFrom(config_pb2.Match(all=config_pb2.Match.List(of=conditions)))
    return found


def _condition(name: str, text: str | None) -> Any:
    from answerback.v1 import config_pb2

    if text is None:
        return None
    if name == "regex":
        return config_pb2.Match(regex=text)
    if name == "expr":
        return config_pb2.Match(expr=text)
    try:
        data = unescape(text)
    except ValueError as error:
        raise click.UsageError(f"--{name}: {error}") from None
    return config_pb2.Match(**{name: config_pb2.Literal(hex=data.hex())})  # type: ignore[arg-type]


def as_line(exchange: Any) -> str:
    """Return an exchange in one line."""
    parts = [
        _moment(exchange.time),
        exchange.listener,
        f"{exchange.connection}#{exchange.number}",
        exchange.peer or "-",
        _quoted(exchange.request),
        "->",
        _answered_by(exchange, exchange.mismatch),
        _quoted(exchange.reply),
    ]
    if exchange.faults:
        parts.append(f"[{', '.join(exchange.faults)}]")
    state = _state(exchange.state)
    parts.append(_times(exchange) if state == "done" else state)
    return "  ".join(parts)


def _answered_by(exchange: Any, mismatch: str = "") -> str:
    """Return who has answered: a rule, the upstream, or the upstream by way of a rule."""
    if exchange.forwarded:
        return f"{exchange.rule} (forwarded)" if exchange.rule else "forwarded"
    return exchange.rule or (f"no rule ({mismatch})" if mismatch else "no rule")


def event_line(event: Any) -> str:
    """Return an event in one line."""
    start = f"{_moment(event.time)}  {event.listener}  {event.connection}  {event.peer or '-'}"
    if event.HasField("answered"):
        answered = event.answered
        return f"{start}  {answered.event}  ->  {answered.rule}  {_quoted(answered.reply)}"
    closed = event.closed
    how = "RST" if closed.reset else "FIN"
    return (
        f"{start}  closed by {closed.by} ({closed.reason}, {how})  {closed.requests} requests  "
        f"{closed.received_bytes} bytes in, {closed.sent_bytes} out  {_milliseconds(closed.duration)}"
    )


def dump(exchange: Any) -> Iterator[tuple[str, str | None]]:
    """Yield an exchange as lines with their colours: a head, then both bodies as text with hex beside it."""
    rule = _answered_by(exchange)
    number = f"{exchange.connection}#{exchange.number}"
    yield f"{_moment(exchange.time)}  {exchange.listener}  {number}  {exchange.peer or '-'}  {rule}", "cyan"
    if exchange.mismatch:
        yield f"  {exchange.mismatch}", "yellow"
    yield from ((line, None) for line in _rows(">", exchange.request))
    yield from ((line, "green") for line in _rows("<", exchange.reply))
    state = _state(exchange.state)
    faults = f"  faults: {', '.join(exchange.faults)}" if exchange.faults else ""
    yield f"  {state}{f'  {_times(exchange)}' if state == 'done' else ''}{faults}", "red" if faults else None


def as_data(exchange: Any) -> dict[str, Any]:
    """Return an exchange as data for JSON; bytes are `{text}` or `{hex}`."""
    data = output.plain(exchange)
    data["request"], data["reply"] = _body(exchange.request), _body(exchange.reply)
    data["state"] = _state(exchange.state)
    return data


def event_data(event: Any) -> dict[str, Any]:
    """Return an event as data for JSON."""
    data = output.plain(event)
    if event.HasField("answered"):
        data["answered"]["reply"] = _body(event.answered.reply)
    return data


def _body(body: Any) -> dict[str, Any]:
    data: dict[str, Any]
    try:
        text = body.data.decode()
        data = {"text": text} if all(each.isprintable() or each in "\r\n\t" for each in text) else {}
    except UnicodeDecodeError:
        data = {}
    data = data or {"hex": body.data.hex()}
    if body.truncated:
        data |= {"size": body.size, "truncated": True}
    return data


def _quoted(body: Any) -> str:
    more = f"... ({body.size} bytes)" if body.truncated else ""
    return f'"{escape(body.data)}"{more}'


def _rows(sign: str, body: Any) -> Iterator[str]:
    for at in range(0, len(body.data), ROW):
        row = body.data[at : at + ROW]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"  {sign} {text:<{ROW}}  {row.hex(' ')}"
    if body.truncated:
        yield f"  {sign} ... {body.size} bytes in all"


def _state(number: int) -> str:
    from answerback.v1 import journal_service_pb2

    return output.word(journal_service_pb2.ExchangeState, number, "EXCHANGE_STATE_").lower().replace("_", "-")


def _times(exchange: Any) -> str:
    injected = exchange.injected_delay.ToNanoseconds()
    delay = f" + {injected / 1e6:.0f} ms injected" if injected else ""
    upstream = f" + {_milliseconds(exchange.upstream_time)} upstream" if exchange.HasField("upstream_time") else ""
    return f"{_milliseconds(exchange.own_time)}{upstream}{delay}"


def _milliseconds(duration: Any) -> str:
    return f"{duration.ToNanoseconds() / 1e6:.1f} ms"


def _moment(stamp: Any) -> str:
    return str(stamp.ToDatetime().strftime("%H:%M:%S.%f"))[:-3]
