"""Shared by the tests of explain: a configuration and a conversation, explained."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from answerback.document.document import load
from answerback.explain import Moment, Transcript, explain
from answerback.explain.events import Evaluated, Sent
from answerback.language.check import check

BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
E = TypeVar("E")


def told(listener: str, *moments: Moment | bytes, peer: str = "192.0.2.7") -> Transcript:
    """What comes of it. `listener`: YAML, but for its name and address; bytes are said at the beginning."""
    document = load(f"listeners: [{{name: it, address: '127.0.0.1:8000', {listener}}}]")
    assert (document.problems, check(document.config, {})) == ((), [])
    each = [Moment(0, moment) if isinstance(moment, bytes) else moment for moment in moments]
    return explain(document.config.listeners[0], {}, each, peer=peer, begun=BEGUN)


def only(transcript: Transcript, *kinds: type[E]) -> list[E]:
    """The events of these kinds."""
    return [event for event in transcript.events if isinstance(event, kinds)]


def sent(transcript: Transcript) -> list[tuple[float, bytes]]:
    """What is sent, and when."""
    return [(round(event.at, 6), event.data) for event in only(transcript, Sent)]


def asked(transcript: Transcript) -> list[tuple[bytes, str | None]]:
    """Requests, and the names of the rules that match them."""
    return [(event.request, event.rule.name if event.rule else None) for event in only(transcript, Evaluated)]


def misses(transcript: Transcript, request: int = 0) -> Sequence[str]:
    """Why rules did not match a request."""
    return [f"{each.rule}: {each.miss.why}" for each in only(transcript, Evaluated)[request].passed_over]
