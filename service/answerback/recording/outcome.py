"""A configuration and a talk made of a recording, and the proof that the one gives what the other expects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from answerback.core.framing import Malformed
from answerback.document.document import load
from answerback.explain import explain_talk
from answerback.language.check import check
from answerback.recording.configuration import yaml_of
from answerback.recording.exchanges import Conversation, conversation_of
from answerback.recording.flow import Bare
from answerback.recording.framings import Given, proposal
from answerback.recording.notes import notes_of
from answerback.recording.pieces import Piece, Recording, by_connection
from answerback.recording.rules import rules_of
from answerback.recording.secrets import Spans, redacted
from answerback.recording.splitting import Framed
from answerback.recording.streams import stream_of
from answerback.recording.talk import talk_of
from answerback.recording.wording import counted
from answerback.talk.script import parse


class Nothing(Exception):
    """There is nothing to make a configuration of."""


class Unframed(Exception):
    """The framing that was given does not fit what the clients sent. The text says where."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was made of a recording."""

    configuration: str
    talk: str
    framing: Given
    notes: Sequence[str]
    """What the user has to know."""
    problems: Sequence[str]
    """Why the configuration cannot be served, or where the talk fails; none if it can, and does not."""
    connections: int
    requests: int
    rules: int


def outcome_of(
    recording: Recording, address: str, given: Bare | None = None, *, delays: bool = False, redact: bool = False
) -> Outcome:
    """Make a configuration and a talk. `given`: the framing, if it is known. Raises Nothing, Unframed, Invalid."""
    pieces: Sequence[Piece] = recording.pieces
    spans: Spans = {}
    if redact:
        pieces, spans = redacted(pieces)
    connections = by_connection(pieces)
    if not connections:
        raise Nothing
    streams = {number: stream_of(each) for number, each in connections.items()}
    spoken = [stream for stream in streams.values() if stream.data]
    framing = Given(Framed(given), sure=True, why="as given") if given is not None else proposal(spoken)
    conversations = [_conversation(number, each, framing.framed) for number, each in connections.items()]
    rules = rules_of(conversations, framing.framed, spans, delays=delays)
    idle = {each.number: each.idle_timeout for each in conversations if each.idle_timeout is not None}
    notes = notes_of(conversations, rules)
    configuration = yaml_of(
        address,
        framing.framed,
        rules,
        [f"Recorded: {counted(len(conversations), 'connection')}. Framing: {framing.why}.", *notes],
        idle_timeout=min(idle.values(), default=None),
    )
    kept = [piece for piece in pieces if piece.connection in connections]
    talk = talk_of(kept, [f"Recorded: {counted(len(conversations), 'connection')}."], frozenset(idle))
    return Outcome(
        configuration,
        talk,
        framing,
        notes,
        _proved(configuration, talk),
        len(conversations),
        sum(len(each.exchanges) - 1 for each in conversations),
        len(rules.written),
    )


def _conversation(number: int, pieces: Sequence[Piece], framed: Framed) -> Conversation:
    try:
        return conversation_of(number, pieces, framed)
    except Malformed as problem:
        raise Unframed(f"connection {number}: {problem}") from None


def _proved(configuration: str, talk: str) -> list[str]:
    """Play the talk against the configuration, simulated. Returns what is wrong."""
    document = load(configuration)
    problems = [*document.problems, *document.located(check(document.config, {}))]
    if problems:
        return [f"the configuration is invalid: {problem}" for problem in problems]
    listener = document.config.listeners[0]
    _, failed = explain_talk(listener, {}, parse(talk), peer="127.0.0.1", begun=datetime.now(UTC))
    return [] if failed is None else [f"the talk fails at {failed}"]
