"""The output of a connection with TLS that is not encrypted yet, and TLS's own end of the stream."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Send
from answerback.core.session.closing import CLOSING, FIN, LINGERING
from answerback.core.session.session import Session
from answerback.core.session.slow_reader import SlowReader
from answerback.core.tls import Channel

# Rule: it is made when it is first needed. A reply that is encrypted and sent at once needs none.
# Rule: what a connection of one reply needs is inline: it comes right after OpenSSL's work, when each call is slow.

REPLY_AND_FIN: Final = 2  # actions, as a session ends
AHEAD: Final = 64 << 10  # bytes that are encrypted before the kernel has taken those before


@dataclass(frozen=True, slots=True)
class CloseNotify:
    """Stands among actions for TLS's own end of the stream."""


NOTIFY: Final = CloseNotify()


class TlsOutput:
    """The actions of a session that wait until the kernel has taken those before, in order."""

    __slots__ = ("_notified", "ended", "queue")

    ended: bool
    """Whether our FIN is among the actions: nothing is encrypted behind it."""
    queue: deque[Action | CloseNotify] | None
    """None if nothing waits."""

    def __init__(self) -> None:
        self.queue = None
        self._notified = self.ended = False  # whether our close_notify and FIN are among the actions

    def last_reply(
        self, actions: Sequence[Action], session: Session | SlowReader, channel: Channel
    ) -> Sequence[Action] | None:
        """Encrypt one reply and the end behind it, the commonest output that ends; None if it is another one."""
        if len(actions) != REPLY_AND_FIN:
            return None
        reply, end = actions
        if type(reply) is not Send or type(end) is not HalfClose or len(reply.data) > AHEAD:
            return None
        closing = session.closing
        if closing is None or not CLOSING <= closing.phase <= LINGERING or closing.cut:
            return None
        self._notified = self.ended = True
        return (Send(channel.last(reply.data)), *FIN)

    def take(self, actions: Sequence[Action], session: Session | SlowReader, *, cut: bool) -> Abort | None:
        """Queue actions of the session, as TLS does them; an Abort is returned, and nothing else counts any more.

        `cut`: the peer has sent FIN without close_notify.
        """
        queue = self.queue
        if queue is None:
            queue = self.queue = deque()
        for action in actions:
            kind = type(action)
            if kind is Send:
                queue.append(action)
            elif kind is HalfClose:
                if session.half_closed:  # otherwise the FIN that follows
                    self._notify(queue, session)
            elif type(action) is Close:
                self._notify(queue, session)
                without_notice = cut and action.reason is CloseReason.PEER_EOF
                queue.append(Close(CloseReason.TLS_CUT) if without_notice else action)
            elif type(action) is Abort:
                self.queue = None
                return action
            else:
                queue.append(action)
        if not self.ended and session.awaits_fin:
            self.ended = True
            self._notify(queue, session)
            queue.extend(FIN)
        return None

    def _notify(self, queue: deque[Action | CloseNotify], session: Session | SlowReader) -> None:
        """Queue close_notify, unless it was, or the reply was cut short."""
        closing = session.closing
        if not self._notified and not (closing is not None and closing.cut):
            self._notified = True
            queue.append(NOTIFY)

    def encrypt(self, channel: Channel) -> Sequence[Action]:
        """Encrypt the next part of the queue; what a driver has to do is one piece of output, then how it ends."""
        queue = self.queue
        room, pieces = AHEAD, list[bytes | memoryview]()
        ends: list[Action] = []
        while queue and room:
            action = queue.popleft()
            if type(action) is Send:
                data = action.data
                if len(data) > room:
                    queue.appendleft(Send(memoryview(data)[room:]))
                    data = memoryview(data)[:room]
                room -= len(data)
                pieces.append(data)
            elif action is NOTIFY:
                if pieces:
                    _write(channel, pieces)
                channel.close()
            else:
                ends.append(action)  # type: ignore[arg-type]  # NOTIFY is the only CloseNotify
        if pieces:
            _write(channel, pieces)
        out = channel.pull()
        if not queue:
            self.queue = None
        return (Send(out), *ends) if out else ends


def _write(channel: Channel, pieces: list[bytes | memoryview]) -> None:
    """Encrypt these together, and forget them."""
    channel.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
    pieces.clear()
