"""A client of TLS in memory, and a playbook as the server."""

import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from answerback.core.actions import Action, CloseReason, Send
from answerback.core.plan import ListenerPlan
from answerback.core.tls import ListenerTls
from tests.core.playbook import Playbook, Somewhere, after, eof
from tests.tls import certificates

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Client:
    """Speaks to a playbook. `wire` collects what it has sent, in pieces as they were given."""

    def __init__(
        self,
        plan: ListenerPlan,
        context: ssl.SSLContext | None = None,
        tls: ListenerTls | None = None,
        room: int | None = None,
        name: str | None = "localhost",
        cuts: Sequence[int] | None = None,
    ) -> None:
        """`cuts`: the sizes of the pieces in which bytes arrive at the server; the last one again and again."""
        self.somewhere = somewhere = Somewhere()
        self.book = Playbook(replace(plan, tls=tls or certificates.server()), room, somewhere)
        somewhere.tls = self.book.session.tls
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or certificates.client()).wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self._cuts = list(cuts or ())
        self.plain = b""
        self.closed_in_order = False
        self.ends: list[Action] = []
        """What the server did beside sending."""
        self.writes: list[bytes] = []
        """What the server sent, piece by piece."""

    def shake(self) -> "Client":
        """Make the handshake. Raises ssl.SSLError."""
        for _ in range(8):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                continue
            self.flush()
            return self
        raise AssertionError("the handshake does not end")

    def say(self, data: bytes) -> "Client":
        self.tls.write(data)
        return self.flush()

    def finish(self) -> "Client":
        """Send close_notify, after everything that has come was read: OpenSSL would take it for an error."""
        self.hear()
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.flush()

    def fin(self) -> "Client":
        """Close the half of the connection, without a word."""
        self.book >> eof
        return self.take()

    def wait(self, seconds: float) -> "Client":
        self.book >> after(seconds)
        return self.take()

    def raw(self, data: bytes) -> "Client":
        """Send bytes as they are."""
        for piece in self._cut(data):
            self.book >> piece
            self.take()
        return self

    def flush(self) -> "Client":
        """Send what TLS has to send."""
        return self.raw(self.outgoing.read())

    def take(self) -> "Client":
        """Take what the server has done."""
        heard, self.book.heard = self.book.heard, []
        for action in heard:
            if isinstance(action, Send):
                self.writes.append(bytes(action.data))
                self.incoming.write(action.data)
            else:
                self.ends.append(action)
        return self

    def hear(self) -> bytes:
        """All plain text that has come so far."""
        try:
            while piece := self.tls.read(65536):
                self.plain += piece
            self.closed_in_order = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed_in_order = True
        return self.plain

    def _cut(self, data: bytes) -> Iterable[bytes]:
        while data:
            size = (self._cuts.pop(0) if len(self._cuts) > 1 else self._cuts[0]) if self._cuts else len(data)
            yield data[: max(1, size)]
            data = data[max(1, size) :]

    @property
    def reason(self) -> CloseReason | None:
        """Why the server closed, if it did."""
        return next((end.reason for end in self.ends if hasattr(end, "reason")), None)
