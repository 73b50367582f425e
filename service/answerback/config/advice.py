"""What is allowed in a configuration, and probably not meant."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import inf

from answerback.config.compile import limits_of
from answerback.config.compile_framing import DEFAULT_READ_BYTES
from answerback.config.problems import Enough, Problem, Problems, quoted
from answerback.config.walking import messages
from answerback.v1 import config_pb2 as v1

# Rule: advice is for configurations that `check` found nothing wrong with; it never refuses one.

_ENDS = {"close", "reset"}
_EMPTY_TAKES_ALL = {"prefix", "suffix", "contains"}


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
    _unreachable_rules(listener, path, problems)
    _limits(listener, path, problems)
    for index, rule in enumerate(listener.rules):
        _steps(rule, f"{path}.rules[{index}]", problems)


def _unreachable_rules(listener: v1.Listener, path: str, problems: Problems) -> None:
    """A rule behind one that takes everything, or everything that it would take."""
    takes_all: dict[bool, int] = {}
    taken: dict[bytes, int] = {}
    for index, rule in enumerate(listener.rules):
        on_connect = rule.event == v1.EVENT_CONNECT
        match = rule.when.SerializeToString(deterministic=True)
        if on_connect in takes_all:
            problems.add(f"{path}.rules[{index}]", f"never reached: rules[{takes_all[on_connect]}] takes everything")
        elif on_connect or _takes_all(rule):
            takes_all[on_connect] = index
        elif taken.setdefault(match, index) != index:
            problems.add(f"{path}.rules[{index}]", f"never reached: rules[{taken[match]}] has the same condition")


def _takes_all(rule: v1.Rule) -> bool:
    if not rule.HasField("when"):
        return True
    kind: str = rule.when.WhichOneof("kind") or ""
    if kind in _EMPTY_TAKES_ALL:
        return bool(getattr(rule.when, kind) == v1.Literal(text=""))
    return kind == "regex" and not rule.when.regex


def _limits(listener: v1.Listener, path: str, problems: Problems) -> None:
    limits = limits_of(listener.limits)
    read_bytes = listener.framing.read.max_bytes or DEFAULT_READ_BYTES
    if listener.framing.WhichOneof("kind") != "line" and read_bytes > limits.max_request_bytes:
        problems.add(
            f"{path}.limits.max_request_bytes",
            f"less than one read of up to {read_bytes} bytes: longer reads close the connection",
        )
    for shorter in ("idle_timeout", "request_timeout"):
        given = listener.limits.HasField(shorter)
        if given and limits.lifetime <= getattr(limits, shorter) < inf:
            problems.add(f"{path}.limits.{shorter}", "never ends a connection: its lifetime is over by then")


def _steps(rule: v1.Rule, path: str, problems: Problems) -> None:
    kinds: Sequence[str] = [step.WhichOneof("kind") or "" for step in rule.do]
    end = next((index for index, kind in enumerate(kinds) if kind in _ENDS), len(kinds))
    if end < len(kinds) - 1:
        problems.add(f"{path}.do[{end + 1}]", f"never taken: do[{end}] ends the connection")
    if rule.event == v1.EVENT_CONNECT and "echo" in kinds:
        problems.add(f"{path}.do[{kinds.index('echo')}]", "sends nothing: there is no request yet on CONNECT")


def _text_for_bytes(config: v1.Config, problems: Problems) -> None:
    r"""`\xff` in a YAML string is a character, sent as two bytes."""
    for path, field, text in _texts(config):
        found = next((character for character in text if "\x80" <= character <= "\xff"), None)
        if found:
            sent = found.encode().hex(" ")
            byte = f"{ord(found):02x}"
            better = rf"write \x{byte} in the pattern" if field == "regex" else "write hex"
            problems.add(
                f"{path}.{field}", f"{quoted(found)} is two bytes, {sent}; if the byte {byte} is meant, {better}"
            )


def _texts(config: v1.Config) -> Iterator[tuple[str, str, str]]:
    for path, message in messages(config):
        if isinstance(message, v1.Payload | v1.Literal) and message.WhichOneof("bytes") == "text":
            yield path, "text", message.text
        elif isinstance(message, v1.Match) and message.WhichOneof("kind") == "regex":
            yield path, "regex", message.regex
