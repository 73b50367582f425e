"""Warnings: valid parts of a configuration that are probably not intended."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from math import inf
from typing import Any, Final

from google.protobuf.message import Message

from answerback.language.context import Linting
from answerback.language.faults import FAULTS, lint_faults
from answerback.language.forwarding import lint_forwarding
from answerback.language.framing import FRAMINGS, lint_framing
from answerback.language.limits import compile_limits, lint_limits
from answerback.language.lint_rules import lint_rules
from answerback.language.matching import MATCHES
from answerback.language.problems import Enough, Problem, Problems, quoted, step_into
from answerback.language.proxy_protocol import without_peers
from answerback.language.registry import Family, Text
from answerback.language.steps import STEPS
from answerback.language.tls import lint_tls
from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1

# Rule: no warning rejects a configuration.
# Rule: no warning follows from a part that was rejected: a listener with a problem gets none.

FAMILIES: Final[tuple[Family[Any], ...]] = (FRAMINGS, MATCHES, STEPS, FAULTS)

_LISTENER: Final = re.compile(r"listeners\[[0-9]+\]")
_WITH_BYTES = (v1.Payload, v1.Literal, v1.Bytes)
_BETTER = {"text": "write hex", "template": "write ${{unhex('{}')}}"}


def warnings(config: v1.Config, rejected: Iterable[Problem] = ()) -> list[Problem]:
    """Everything that is probably not meant, each with its path. `rejected`: the problems of the configuration."""
    found = _all(config)
    listeners = {_LISTENER.match(problem.path) for problem in rejected}
    if None in listeners:
        return []  # the problem may be one of any listener
    skipped = {listener.group() for listener in listeners if listener is not None}
    return [one for one in found if (where := _LISTENER.match(one.path)) is None or where.group() not in skipped]


def _all(config: v1.Config) -> list[Problem]:
    problems = Problems()
    with suppress(Enough):
        if not config.listeners:
            problems.add("listeners", "empty: nothing will be served")
        for index, listener in enumerate(config.listeners):
            linting = Linting(problems, f"listeners[{index}]", compile_limits(listener.limits))
            _listener(listener, linting)
        _text_for_bytes(config, problems)
    return problems.found()


def _listener(listener: v1.Listener, linting: Linting) -> None:
    lint_rules(listener, linting)
    lint_faults(listener, linting)
    lint_forwarding(listener, linting)
    lint_limits(listener.limits, linting)
    lint_tls(listener, linting)
    if not listener.HasField("framing"):
        lint_framing(listener.framing, step_into(linting.path, "framing"), linting)
    for path, message in messages(listener, linting.path):
        if isinstance(message, v1.Framing):
            lint_framing(message, path, linting)
        elif isinstance(message, v1.Rule) and message.event == v1.EVENT_IDLE and linting.limits.idle_timeout == inf:
            linting.add(path, "never reached: idle_timeout is 0, so no connection is idle for too long")
    if not linting.limits.max_connections and not linting.limits.max_connections_per_peer:
        for index, rule in enumerate(listener.rules):
            if rule.event == v1.EVENT_LIMIT:
                why = "never reached: neither max_connections nor max_connections_per_peer is set"
                linting.add(f"{linting.path}.rules[{index}]", why)
    if without_peers(listener):
        _without_peers(listener, linting)


def _without_peers(listener: v1.Listener, linting: Linting) -> None:
    """Report what has no meaning on a Unix socket whose peers have no address."""
    for path, message in messages(listener, linting.path):
        family = _family_of(message)
        kind = family.of(message) if family else None
        if kind is not None and kind.on_unix:
            linting.add(step_into(path, kind.name), kind.on_unix)
        if isinstance(message, v1.Rule | v1.Fault) and message.scope == v1.SCOPE_PEER:
            linting.add(f"{path}.scope", "PEER counts as LISTENER does: all peers of a Unix socket are one")


def _family_of(message: Message) -> Family[Any] | None:
    return next((family for family in FAMILIES if isinstance(message, family.message)), None)


def _text_for_bytes(config: v1.Config, problems: Problems) -> None:
    r"""Report `\xff` in text: it is a character, sent as two bytes."""
    for path, message in messages(config):
        for text in _texts(message, path):
            found = next((character for character in text.text if "\x80" <= character <= "\xff"), None)
            if found:
                sent, byte = found.encode().hex(" "), f"{ord(found):02x}"
                better = text.better.format(byte)
                problems.add(text.path, f"{quoted(found)} is two bytes, {sent}; if the byte {byte} is meant, {better}")


def _texts(message: Message, path: str) -> Iterator[Text]:
    if isinstance(message, _WITH_BYTES):
        kind: Any = message.WhichOneof("bytes")
        if kind in _BETTER:
            yield Text(step_into(path, kind), getattr(message, kind), _BETTER[kind])
        return
    family = _family_of(message)
    chosen = family.of(message) if family else None
    if chosen is not None:
        yield from chosen.texts(getattr(message, chosen.name), step_into(path, chosen.name))
