"""The frames that scripts wait for, in the step `receive`."""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason
from answerback.core.framing import Framing
from answerback.core.session.closing import NOTHING
from answerback.core.session.incomplete import await_rest
from answerback.core.session.playing import resume
from answerback.core.session.script import ScriptRun
from answerback.core.session.writing import set_variable
from answerback.core.steps import Receive

if TYPE_CHECKING:
    from answerback.core.session.session import Session


def receive(
    session: "Session", script: ScriptRun, wanted: Receive, now: float, *, ended: bool = False
) -> Sequence[Action]:
    """Read the frame that the script waits for. `ended`: the rest of the buffer is a complete frame."""
    conversation, framer = session.conversation, script.framer
    assert framer is not None
    frames, end = _split(session, framer, ended=ended)
    if not frames:
        return await_rest(session, now) if session.turn_began is not None else NOTHING
    frame, reader = frames[0], conversation.reader
    if len(frame) > session.plan.limits.max_request_bytes:
        return session.close(CloseReason.REQUEST_TOO_LARGE)
    conversation.consume(session, end if len(frames) == 1 else framer.consumed(reader.buffer, 1))
    conversation.frame_anew()
    if wanted.variable:
        set_variable(session, session.context, wanted.variable, frame)
    script.receive = None
    if wanted.expect is not None:
        script.steps = chain(wanted.expect.compare(frame, session.context), script.steps)
    return resume(session, now)


def _split(session: "Session", framer: Framing, *, ended: bool) -> tuple[Sequence[bytes], int]:
    """Return the frames at the start of the buffer, and where the next one begins."""
    reader = session.conversation.reader
    frames, end = framer.split(reader.buffer, reader.searched)
    if not frames and framer.unfinished:
        frames, end = session.conversation.split_on(session, framer)
    if not frames and (ended or (session.eof and framer.eof_completes and reader.buffer)):
        return (bytes(reader.buffer),), len(reader.buffer)
    return frames, end
