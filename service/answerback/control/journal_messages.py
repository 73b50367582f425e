"""The messages of JournalService, made from what the journal returns."""

from collections.abc import Mapping
from typing import Final

from google.protobuf.duration_pb2 import Duration

from answerback.control.times import timestamp
from answerback.shared.journal.layout import State
from answerback.supervisor.journal.answers import Nearest
from answerback.supervisor.journal.evidence import Missing
from answerback.supervisor.journal.exchanges import Event, Exchange
from answerback.supervisor.journal.marks import JournalClock
from answerback.v1 import journal_service_pb2 as pb

STATES: Final[Mapping[State, pb.ExchangeState.ValueType]] = {
    State.IN_PROGRESS: pb.EXCHANGE_STATE_IN_PROGRESS,
    State.DONE: pb.EXCHANGE_STATE_DONE,
    State.ABANDONED: pb.EXCHANGE_STATE_ABANDONED,
}
STATES_ASKED: Final[Mapping[int, State | None]] = {
    pb.EXCHANGE_STATE_UNSPECIFIED: None,
    **{number: state for state, number in STATES.items()},
}


def exchange(found: Exchange, clock: JournalClock) -> pb.Exchange:
    """Return an exchange as a message."""
    record, key = found.record, found.connection
    message = pb.Exchange(
        id=found.id,
        time=timestamp(clock.wall(record.time)),
        listener=found.listener,
        worker=key.slot,
        connection=key.id,
        number=record.number,
        peer=key.peer,
        request=body(record.request, record.request_size),
        rule=found.rule,
        mismatch=found.mismatch,
        reply=body(record.reply, record.reply_size),
        faults=found.faults,
        injected_delay=_duration(record.delayed),
        state=STATES[found.state],
        forwarded=record.upstream != 0,
    )
    waited = max(0.0, record.upstream)
    if waited:
        message.upstream_time.CopyFrom(_duration(waited))
    if record.finished:
        own = record.finished - record.time - record.delayed - waited
        message.own_time.CopyFrom(_duration(max(0.0, own)))
    return message


def body(data: bytes, size: int) -> pb.Body:
    """Return bytes that may have been cut."""
    return pb.Body(data=data, size=size, truncated=len(data) < size)


def nearest(found: Nearest, clock: JournalClock) -> pb.Nearest:
    """Return an exchange that does not match, and why."""
    return pb.Nearest(exchange=exchange(found.exchange, clock), why=found.why)


def missing(found: Missing, clock: JournalClock) -> pb.Missing:
    """Return what was dropped."""
    return pb.Missing(
        worker=found.worker,
        listener=found.listener,
        reason=found.reason.label,
        exchanges=found.exchanges,
        newest=timestamp(clock.wall(found.newest)) if found.newest else None,
    )


def event(found: Event, clock: JournalClock) -> pb.JournalEvent:
    """Return an event as a message."""
    record, key = found.record, found.connection
    message = pb.JournalEvent(
        time=timestamp(clock.wall(record.time)),
        listener=found.listener,
        worker=key.slot,
        connection=key.id,
        peer=key.peer,
    )
    if found.reason is None:
        message.answered.CopyFrom(
            pb.Answered(event=found.name, rule=found.rule, reply=body(record.reply, record.reply_size))
        )
    else:
        message.closed.CopyFrom(
            pb.ConnectionEnd(
                reason=found.reason.label,
                by=found.by,
                reset=found.reset,
                received_bytes=record.request_size,
                sent_bytes=record.reply_size,
                duration=_duration(record.delayed),
                requests=record.number,
            )
        )
    return message


def _duration(seconds: float) -> Duration:
    nanoseconds = round(seconds * 1e9)
    return Duration(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)
