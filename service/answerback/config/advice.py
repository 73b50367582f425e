"""What is allowed in a configuration, and probably not meant."""

from collections.abc import Iterator
from contextlib import suppress
from math import inf

from answerback.config import advice_faults, advice_rules, durations
from answerback.config.addresses import is_unix
from answerback.config.compile import limits_of
from answerback.config.compile_framing import DEFAULT_READ_BYTES
from answerback.config.problems import Enough, Problem, Problems, quoted
from answerback.config.walking import messages
from answerback.v1 import config_pb2 as v1

# Rule: advice is for configurations that `check` found nothing wrong with; it never refuses one.

_WITH_TEXT = (v1.Payload, v1.Literal, v1.Bytes, v1.Match)
_BETTER = {
    "text": "write hex",
    "template": "write ${{hex:{}}}",
    "regex": r"write \x{} in the pattern",
    "end": r"write \x{} in the pattern",
}


def warnings(config: v1.Config) -> list[Problem]:
    """Everything that is probably not meant, each with its path."""
    problems = Problems()
    with suppress(Enough):
        if not config.listeners:
            problems.add("listeners", "none: nothing will be served")
        for index, listener in enumerate(config.listeners):
            _listener(listener, f"listeners[{index}]", problems)
        _text_for_bytes(config, problems)
    return problems.found()


def _listener(listener: v1.Listener, path: str, problems: Problems) -> None:
    advice_rules.advise(listener, path, problems)
    advice_faults.advise(listener, path, problems)
    _limits(listener, path, problems)
    _framings(listener, path, problems)
    if is_unix(listener):
        _unix(listener, path, problems)


def _limits(listener: v1.Listener, path: str, problems: Problems) -> None:
    limits = limits_of(listener.limits)
    read_bytes = listener.framing.read.max_bytes or DEFAULT_READ_BYTES
    if listener.framing.WhichOneof("kind") in {None, "read"} and read_bytes > limits.max_request_bytes:
        problems.add(
            f"{path}.limits.max_request_bytes",
            f"less than one read of up to {read_bytes} bytes: longer reads close the connection",
        )
    for shorter in ("idle_timeout", "request_timeout"):
        given = listener.limits.HasField(shorter)
        if given and limits.lifetime <= getattr(limits, shorter) < inf:
            problems.add(f"{path}.limits.{shorter}", "never ends a connection: its lifetime is over by then")


def _framings(listener: v1.Listener, path: str, problems: Problems) -> None:
    limits = limits_of(listener.limits)
    for here, message in messages(listener, path):
        if isinstance(message, v1.Framing.Fixed) and message.size > limits.max_request_bytes:
            problems.add(f"{here}.size", "more than max_request_bytes: every request closes the connection")
        elif isinstance(message, v1.Framing.Idle):
            for shorter in ("idle_timeout", "request_timeout"):
                if durations.seconds(message.gap) > getattr(limits, shorter):
                    problems.add(f"{here}.gap", f"never ends a request: {shorter} closes the connection before")
        elif isinstance(message, v1.Rule) and message.event == v1.EVENT_IDLE and limits.idle_timeout == inf:
            problems.add(here, "never reached: without idle_timeout, nothing is idle for too long")


def _unix(listener: v1.Listener, path: str, problems: Problems) -> None:
    """What a Unix socket does not have."""
    for here, message in messages(listener, path):
        if isinstance(message, v1.Match) and message.WhichOneof("kind") == "peer":
            problems.add(f"{here}.peer", "never matches: peers of a Unix socket have no address")
        elif isinstance(message, v1.Step.Reset | v1.Fault.Reset):
            problems.add(here, "a Unix socket has no RST: the peer reads the end, as after a close")


def _text_for_bytes(config: v1.Config, problems: Problems) -> None:
    r"""`\xff` in a YAML string is a character, sent as two bytes."""
    for path, field, text in _texts(config):
        found = next((character for character in text if "\x80" <= character <= "\xff"), None)
        if found:
            sent, byte = found.encode().hex(" "), f"{ord(found):02x}"
            problems.add(
                f"{path}.{field}",
                f"{quoted(found)} is two bytes, {sent}; if the byte {byte} is meant, {_BETTER[field].format(byte)}",
            )


def _texts(config: v1.Config) -> Iterator[tuple[str, str, str]]:
    for path, message in messages(config):
        if isinstance(message, v1.Framing.Pattern):
            yield path, "end", message.end
            continue
        kind = message.WhichOneof(message.DESCRIPTOR.oneofs[0].name) if isinstance(message, _WITH_TEXT) else None
        if kind in _BETTER:
            yield path, kind, getattr(message, kind)
