"""The rules that give the recorded replies."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from answerback.recording.exchanges import Conversation, Exchange
from answerback.recording.flow import Bare
from answerback.recording.pieces import Kind
from answerback.recording.secrets import Spans
from answerback.recording.splitting import Framed

DELAY_SECONDS: Final = 0.005  # a shorter time is that of the network and of the recording
MAX_SILENT: Final = 50  # requests without a reply that get a rule; others get no reply anyway
MAX_NAME: Final = 40

Step = str | dict[str, Any]
Script = list[Step]
Written = dict[str, Any]
"""A rule as in a configuration."""


@dataclass(frozen=True, slots=True)
class Varied:
    """A request that got different replies."""

    request: bytes
    number: int
    """How many different ones."""
    in_order: bool
    """Whether the replies go by the order in which all connections sent it; otherwise by that of each connection."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules, and what to know about them."""

    written: list[Written]
    varied: list[Varied]
    silent: int
    """How many different requests got no reply and have no rule."""


def rules_of(conversations: Sequence[Conversation], framed: Framed, spans: Spans, *, delays: bool) -> Rules:
    """The rules for these conversations, in the order in which their requests first came."""
    asked: dict[bytes, list[Exchange]] = defaultdict(list)
    begun = [conversation.exchanges[0] for conversation in conversations]
    exchanges = [each for conversation in conversations for each in conversation.exchanges[1:]]
    for exchange in sorted(exchanges, key=lambda each: each.at):
        asked[_key(exchange, spans)].append(exchange)

    def script(exchange: Exchange) -> Script:
        return _script(exchange, framed, delays=delays)

    written: list[Written] = []
    varied: list[Varied] = []
    names: Counter[str] = Counter()
    if any(script(exchange) for exchange in begun):
        written.append({"event": Bare("CONNECT"), **_replies(begun, script, varied)})
    silent = [first for first, *more in asked.values() if not any(script(each) for each in (first, *more))]
    for exchanges in asked.values():
        if exchanges[0] in silent:
            continue
        name = _name(exchanges[0].request, names)
        written.append({"name": name, "when": _condition(exchanges[0], spans), **_replies(exchanges, script, varied)})
    if 0 < len(silent) <= MAX_SILENT:
        conditions = [_condition(exchange, spans) for exchange in silent]
        name = _name(b"no-reply", names)
        written.append({"name": name, "when": conditions[0] if len(silent) == 1 else {"any": conditions}})
    return Rules(written, varied, len(silent) if len(silent) > MAX_SILENT else 0)


def _script(exchange: Exchange, framed: Framed, *, delays: bool) -> Script:
    """The steps that do what the server did."""
    steps: Script = []
    joined = bytearray()
    for sent in exchange.replies:
        if delays and sent.after >= DELAY_SECONDS:
            if joined:
                steps.append({"send": payload(bytes(joined))})
                joined.clear()
            steps.append({"delay": duration(sent.after)})
        joined += sent.data
    if joined:
        steps.append({"send": payload(bytes(joined))})
    if framed.then is not None and exchange.number == framed.requests and exchange.ends is None:
        steps.append({"framing": framed.then})
    if exchange.ends is not None:
        steps.append(Bare("close" if exchange.ends is Kind.FIN else "reset"))
    return steps


def _replies(exchanges: Sequence[Exchange], script: Callable[[Exchange], Script], varied: list[Varied]) -> Written:
    """One script for all, or one for each time."""
    in_order = [script(exchange) for exchange in exchanges]
    if all(each == in_order[0] for each in in_order):
        return {"do": in_order[0]}
    by_connection: dict[int, list[Script]] = defaultdict(list)
    for exchange in exchanges:
        by_connection[exchange.connection].append(script(exchange))
    longest = max(by_connection.values(), key=len)
    same = all(each == longest[: len(each)] for each in by_connection.values())
    different = len({repr(each) for each in in_order})
    varied.append(Varied(exchanges[0].request, different, in_order=not same))
    if same:
        return {"scope": Bare("CONNECTION"), "replies": {"of": longest}}
    return {"replies": {"of": in_order, "then": Bare("CYCLE")}}


# ── Conditions ────────────────────────────────────────────────────────────────────────────────────────────────────


def _secrets(exchange: Exchange, spans: Spans) -> list[tuple[int, int]]:
    """Where secrets are in the request."""
    return [
        (begin - exchange.begin, min(end - exchange.begin, len(exchange.request)))
        for begin, end in spans.get(exchange.connection, ())
        if exchange.begin <= begin < exchange.end and begin - exchange.begin < len(exchange.request)
    ]


def _key(exchange: Exchange, spans: Spans) -> bytes:
    """What requests have in common that one rule is for."""
    return repr(_condition(exchange, spans)).encode() if _secrets(exchange, spans) else exchange.request


def _condition(exchange: Exchange, spans: Spans) -> Any:
    """The condition that the request meets, whatever its secrets are."""
    secrets = _secrets(exchange, spans)
    if not secrets:
        return {"equals": payload(exchange.request)}
    pattern, at = "", 0
    for begin, end in secrets:
        before = exchange.request[at:begin]
        length = re.search(rb"\$\d+\r\n\Z", before)  # the length of a bulk string of RESP
        if length:
            pattern += _literal(before[: length.start()]) + r"\$[0-9]+\r\n" + r"[^\r\n]*"
        else:
            pattern += _literal(before) + r"[^\r\n]*"
        at = end
    return {"regex": f"^{pattern}{_literal(exchange.request[at:])}$"}


def _literal(data: bytes) -> str:
    """Bytes as a pattern of RE2."""
    return "".join(_literal_byte(byte) for byte in data)


def _literal_byte(byte: int) -> str:
    if byte < 0x20 or byte > 0x7E:
        return f"\\x{byte:02x}"
    return f"\\{chr(byte)}" if chr(byte) in r"\.+*?()[]{}|^$" else chr(byte)


# ── Values ────────────────────────────────────────────────────────────────────────────────────────────────────────


def payload(data: bytes) -> Any:
    """Bytes as in a configuration: as text where that is plain to read."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    plain = all(each.isprintable() or each in "\r\n\t" for each in text)
    return text if plain else {"hex": data.hex(" ")}


def duration(seconds: float) -> str:
    """A duration as in a configuration, to the millisecond."""
    return f"{round(seconds * 1000)}ms"


def _name(request: bytes, names: Counter[str]) -> str:
    """A name for a rule: the first words of the request, and a number if there is another of that name."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9_.-]*", request.decode("latin-1")) if _is_text(request) else []
    name = "-".join(words[:2])[:MAX_NAME].lower() or "request"
    names[name] += 1
    return name if names[name] == 1 else f"{name}-{names[name]}"


def _is_text(data: bytes) -> bool:
    return isinstance(payload(data), str)
