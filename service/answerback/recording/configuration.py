"""The configuration as YAML: shorthand where it has it, and flow style, which is JSON's."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from answerback.core.escapes import escape
from answerback.recording.flow import Bare, flow
from answerback.recording.rules import Rules, duration
from answerback.recording.splitting import Framed

NAME = "recorded"


def yaml_of(address: str, framed: Framed, rules: Rules, comments: Sequence[str], *, idle_timeout: float | None) -> str:
    """The text of the configuration. `comments` stand at its top."""
    return "\n".join((*_commented(comments), *_listener(address, framed.first, rules, idle_timeout))) + "\n"


def _commented(comments: Sequence[str]) -> Iterator[str]:
    for comment in comments:
        yield f"# {_plain(comment)}"


def _listener(address: str, framing: Bare, rules: Rules, idle_timeout: float | None) -> Iterator[str]:
    yield "listeners:"
    yield f"  - name: {NAME}"
    yield f"    address: {flow(address)}"
    yield f"    framing: {flow(framing)}"
    if idle_timeout is not None:
        yield f"    limits: {flow({'idle_timeout': duration(idle_timeout)})}"
    if rules.written:
        yield "    rules:"
    for rule in rules.written:
        yield from _rule(rule)


def _rule(rule: Mapping[str, Any]) -> Iterator[str]:
    start = "      - "
    for field, value in rule.items():
        if field == "replies":
            yield f"{start}replies:"
            yield "          of:"
            yield from (f"            - {flow(script)}" for script in value["of"])
            yield from (f"          {key}: {flow(other)}" for key, other in value.items() if key != "of")
        else:
            yield f"{start}{field}: {flow(value)}"
        start = "        "


def _plain(comment: str) -> str:
    return "".join(each if each.isprintable() else escape(each.encode()) for each in comment)
