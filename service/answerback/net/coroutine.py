"""The COROUTINE engine: a coroutine per connection over streams, which reads from top to bottom.

It waits in one place at a time, for bytes to read or for room to write. What comes from elsewhere (a deadline, a drain)
interrupts it there, as `asyncio.timeout` would, but costs nothing while nothing of the kind happens.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from time import monotonic

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.net.connection import READ_BYTES, Connection, Host, reason_of, reset_on_close

# Rule: only the coroutine speaks to the session, but for `abort`, which ends both.

News = Callable[[float], Sequence[Action]]


class CoroutineConnection(Connection):
    """Drives a session by a coroutine."""

    __slots__ = (
        "_ending",
        "_gone",
        "_interrupted",
        "_news",
        "_opened",
        "_reader",
        "_task",
        "_transport",
        "_unsent",
        "_waiting",
        "_writer",
    )

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    _transport: asyncio.WriteTransport

    def __init__(self, host: Host, descriptor: int, family: int, peer: bytes | None) -> None:
        sock = socket.socket(family, socket.SOCK_STREAM, 0, descriptor)
        sock.setblocking(False)
        super().__init__(host, sock, peer)
        self.sock: socket.socket
        self._news: list[News] = []  # what the session has to be told
        self._waiting = False  # whether the coroutine can be interrupted
        self._interrupted = False  # whether it has been, and has not noticed yet
        self._gone = False
        self._ending: Action | None = None  # what to do once the kernel has taken everything
        self._task: asyncio.Task[None] | None = None
        self._unsent = 0  # bytes that the kernel has not taken
        self._opened = False  # whether there are streams

    def begin(self) -> None:
        """Take up the conversation."""
        self._task = self.host.loop.create_task(self._serve())

    def wake(self) -> None:
        """See `Connection.wake`."""
        self._interrupt(self.session.wake)

    def drain(self) -> None:
        """See `Connection.drain`."""
        self._interrupt(self.session.drain)

    def abort(self, reason: CloseReason) -> None:
        """See `Connection.abort`."""
        if self._gone:
            return
        self.session.lost(reason)
        reset_on_close(self.sock)
        self._leave(reason)

    async def _serve(self) -> None:
        try:
            await self._open()
            await self._converse()
        except OSError as error:
            if not self._gone:
                self._leave(self.session.lost(reason_of(error)))
        except Exception:
            self.failed()

    async def _open(self) -> None:
        """Streams over the accepted socket, as `asyncio.start_server` makes them."""
        loop = self.host.loop
        reader = asyncio.StreamReader(limit=READ_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, self.sock)
        # So that what is left in the buffer is what the kernel has not taken, and `drain` waits until it has taken all.
        transport.set_write_buffer_limits(high=0)
        self._reader = reader
        self._transport = transport
        self._writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._opened = True
        if self._gone:  # aborted meanwhile
            transport.abort()

    async def _converse(self) -> None:
        session, read, books = self.session, self._reader.read, self.books
        actions = session.connected(monotonic())
        while True:
            while not self._perform(actions):
                actions = await self._room()
            if self._gone:
                return
            if session.deadline < self.due:
                self.keep_deadline()
            self._waiting = True
            try:
                if self._news:
                    actions = self._told()
                    continue
                if not session.wants_read:
                    await self.host.loop.create_future()  # until interrupted
                data = await read(READ_BYTES)
            except asyncio.CancelledError:
                actions = self._told()
                continue
            finally:
                self._waiting = False
            if session.over:  # aborted meanwhile
                return
            if data:
                self.heard = True
                books.received(len(data))
                actions = session.receive(data, monotonic())
            else:
                actions = session.eof(monotonic())

    def _perform(self, actions: Sequence[Action]) -> bool:
        """Do what the session asks, and what it asks once that is in the kernel; False if the kernel has no room."""
        session = self.session
        while True:
            only = actions[0] if len(actions) == 1 else None
            data = only.data if type(only) is Send else self._gather(actions)
            if self._gone:
                return True
            if data:
                self._write(data)
            if self._unsent:
                return False
            actions = session.flushed(monotonic()) if session.awaits_flush else ()
            if self._ending is not None:
                self._end()
            if not actions and not session.awaits_flush:
                return True

    def _gather(self, actions: Sequence[Action]) -> bytes:
        """What is to be sent; how it is to end is noted, or done if it cannot wait."""
        chunks = []
        for action in actions:
            if type(action) is Send:
                chunks.append(action.data)
            elif type(action) is Abort:
                self.abort(action.reason)
                return b""
            else:
                self._ending = action
        return b"".join(chunks)

    def _write(self, data: bytes) -> None:
        """Give it to the transport, which gives the kernel at once what that takes."""
        transport = self._transport
        if transport.is_closing():
            raise ConnectionResetError(errno.ECONNRESET, "the peer has reset the connection")
        before = self._unsent
        transport.write(data)
        self._unsent = transport.get_write_buffer_size()
        self.books.sent(before + len(data) - self._unsent)

    async def _room(self) -> Sequence[Action]:
        """Wait until the kernel has taken what was written; what the session wants when it is interrupted in that."""
        self.session.blocked(monotonic())
        self.keep_deadline()
        self._waiting = True
        try:
            if self._news:
                return self._told()
            await self._writer.drain()
        except asyncio.CancelledError:
            return self._told()
        finally:
            self._waiting = False
            if not self._gone and not self._transport.is_closing():
                left = self._transport.get_write_buffer_size()
                self.books.sent(self._unsent - left)
                self._unsent = left
        return ()

    def _end(self) -> None:
        """Everything is in the kernel: half-close, close or reset."""
        ending, self._ending = self._ending, None
        if type(ending) is HalfClose:
            self._writer.write_eof()
        elif type(ending) is Reset:
            reset_on_close(self.sock)
            self._leave(ending.reason)
        elif type(ending) is Close:
            self._gone = True
            self._writer.close()
            self.closed(ending.reason)

    def _interrupt(self, news: News) -> None:
        """Have the coroutine tell the session this, wherever it waits."""
        self._news.append(news)
        if self._waiting and len(self._news) == 1:
            assert self._task is not None
            self._task.cancel()
            self._interrupted = True

    def _told(self) -> Sequence[Action]:
        """Tell the session what there is to tell. Raises CancelledError if the coroutine itself was cancelled."""
        assert self._task is not None
        if self._interrupted:
            self._interrupted = False
            self._task.uncancel()
        elif not self._news:
            raise asyncio.CancelledError
        actions: list[Action] = []
        while self._news and not self._gone:
            actions += self._news.pop(0)(monotonic())
        return actions

    def _leave(self, reason: CloseReason) -> None:
        """Drop the connection: what the kernel has not taken is lost."""
        self._gone = True
        if self._opened:
            self._transport.abort()
        else:
            self.sock.close()
        self.closed(reason)
