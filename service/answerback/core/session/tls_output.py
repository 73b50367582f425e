"""The output of a connection with TLS that is not encrypted yet, and TLS's own end of the stream."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Send
from answerback.core.session.session import Session
from answerback.core.session.slow_reader import SlowReader
from answerback.core.tls import Channel

# Rule: it is made when it is first needed. A reply that is encrypted and sent at once needs none.

AHEAD: Final = 64 << 10  # bytes that are encrypted before the kernel has taken those before


@dataclass(frozen=True, slots=True)
class CloseNotify:
    """Stands among actions for TLS's own end of the stream."""


NOTIFY: Final = CloseNotify()


class TlsOutput:
    """The actions of a session that wait until the kernel has taken those before, in order."""

    __slots__ = ("_fin_sent", "_notified", "queue")

    queue: deque[Action | CloseNotify] | None
    """None if nothing waits."""

    def __init__(self) -> None:
        self.queue = None
        self._notified = self._fin_sent = False  # whether our close_notify and FIN are among the actions

    def take(self, actions: Sequence[Action], session: Session | SlowReader, *, cut: bool) -> Abort | None:
        """Queue actions of the session, as TLS does them; an Abort is returned, and nothing else counts any more.

        `cut`: the peer has sent FIN without close_notify.
        """
        for action in actions:
            if type(action) is Abort:
                self.queue = None
                return action
            self._append(action, session, cut=cut)
        if session.awaits_fin and not self._fin_sent:
            self._fin_sent = True
            self._notify(session)
            self._append_as_is(HalfClose())
        return None

    def _append(self, action: Action, session: Session | SlowReader, *, cut: bool) -> None:
        if type(action) is HalfClose:
            if session.half_closed:  # otherwise the FIN that follows
                self._notify(session)
        elif type(action) is Close:
            self._notify(session)
            without_notice = cut and action.reason is CloseReason.PEER_EOF
            self._append_as_is(Close(CloseReason.TLS_CUT) if without_notice else action)
        else:
            self._append_as_is(action)

    def _append_as_is(self, action: Action | CloseNotify) -> None:
        if self.queue is None:
            self.queue = deque()
        self.queue.append(action)

    def _notify(self, session: Session | SlowReader) -> None:
        """Queue close_notify, unless it was, or the reply was cut short."""
        closing = session.closing
        if not self._notified and not (closing is not None and closing.cut):
            self._notified = True
            self._append_as_is(NOTIFY)

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
                continue
            if type(action) is CloseNotify:
                _write(channel, pieces)
                channel.close()
            else:
                ends.append(action)  # type: ignore[arg-type]  # mypy does not narrow by type(...) is
        _write(channel, pieces)
        out = channel.pull()
        if not queue:
            self.queue = None
        return (Send(out), *ends) if out else ends


def _write(channel: Channel, pieces: list[bytes | memoryview]) -> None:
    """Encrypt these together, and forget them."""
    if pieces:
        channel.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        pieces.clear()
