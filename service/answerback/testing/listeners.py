"""The server as one test sees it: listeners on free ports."""

# Rule: as in `server`, only the standard library at the top.

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from answerback.testing.conversation import conversation, shown
from answerback.testing.server import Server

if TYPE_CHECKING:
    from answerback.client import Client, Exchange, ListenerStatus, Signalled
    from answerback.client.calls.filters import Filter

P = ParamSpec("P")
T = TypeVar("T")

UNIX: Final = "unix:"
Condition = bytes | str | Mapping[str, Any]
"""Bytes or text that a request is equal to, or a condition as in YAML."""
Value = Any
"""A value as in YAML: a mapping, a list, text, bytes, a number, a timedelta."""


class EvidenceIncomplete(AssertionError):
    """The journal has dropped requests that might decide what was to be verified."""


class NotFulfilled(AssertionError, TimeoutError):
    """An awaited event did not occur in time."""


class Listener:
    """A listener that was made for a test."""

    def __init__(self, client: "Client", name: str, bound: str) -> None:
        self._client = client
        self._bound = bound
        self.name = name

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect: host and port, as `socket.create_connection` takes them."""
        if self._bound.startswith(UNIX):
            raise AttributeError(f"{self.name} listens on a Unix socket: see `path`")
        host, _, port = self._bound.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def host(self) -> str:
        """The host to connect to."""
        return self.address[0]

    @property
    def port(self) -> int:
        """The port to connect to."""
        return self.address[1]

    @property
    def path(self) -> str:
        """The path of its Unix socket."""
        if not self._bound.startswith(UNIX):
            raise AttributeError(f"{self.name} listens on {self._bound}: see `address`")
        return self._bound.removeprefix(UNIX)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} at {self._bound}>"

    def update(self, /, **fields: Value) -> None:
        """Change fields, each as a whole: `rules=[…]`. Open connections use them from their next request."""
        self._client.update_listener({"name": self.name, **fields}, fields=list(fields))

    def status(self) -> "ListenerStatus":
        """Return its counts: `connections_accepted`, `connections_open`, `requests`."""
        return next(each for each in self._client.get_status().listeners if each.name == self.name)

    def reset_counters(self) -> None:
        """Have its rules and faults count from 0 again: "fail twice, then recover" starts again."""
        self._client.reset_counters(self.name)

    def exchanges(self, match: Condition | None = None) -> "list[Exchange]":
        """Return its requests with their replies, oldest first: all, or those that match.

        `match`: bytes or text that a request is equal to, or a condition as in YAML (`{"prefix": "GET "}`).
        """
        return self._client.list_exchanges(listener=self.name, match=match)

    def mark(self) -> str:
        """Return a mark of this moment, for `since`."""
        return self._client.create_mark().mark

    def verify(
        self,
        match: Condition | None = None,
        *,
        times: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
        since: str = "",
    ) -> None:
        """Assert how many of its requests match: at least one, unless a count is given.

        Raises AssertionError with the requests that nearly match, and EvidenceIncomplete (an AssertionError) if the
        journal has dropped requests that might decide it.
        """
        __tracebackhide__ = True
        which: Filter = {"listener": self.name, "match": match, "since": since}
        found = self._client.verify_exchanges(exactly=times, at_least=at_least, at_most=at_most, **which)
        if found.outcome == "HOLDS":
            return
        if found.outcome == "UNKNOWN":
            dropped = [f"worker {each.worker}: {each.exchanges} {each.reason}" for each in found.missing]
            raise EvidenceIncomplete("\n".join((found.text, "the journal of this listener has dropped:", *dropped)))
        raise AssertionError(shown(found.text, found.exchanges, found.nearest))

    def wait_for(
        self, match: Condition | None = None, *, count: int = 1, timeout: float = 3.0, since: str = ""
    ) -> "list[Exchange]":
        """Wait until `count` of its requests match; return them. `timeout` is in seconds.

        Raises NotFulfilled (an AssertionError and a TimeoutError) with the requests that nearly match.
        """
        __tracebackhide__ = True
        which: Filter = {"listener": self.name, "match": match, "since": since}
        found = self._client.wait_for_exchanges(count=count, timeout=timeout, **which)
        if not found.fulfilled:
            text = f"{found.found} of {count} requests within {timeout:g} s"
            raise NotFulfilled(shown(text, found.exchanges, found.nearest))
        return list(found.exchanges)

    def drain(self, *, over: float = 0.0, grace: float = 0.0) -> None:
        """Refuse connections, and close the open ones: the server is gone, until `resume`. Times are in seconds."""
        self._client.drain(self.name, over=over, grace=grace).result()

    def resume(self) -> None:
        """Listen again, at the same address."""
        self._client.resume(self.name)

    def close(self) -> None:
        """Remove it."""
        self._client.delete_listener(self.name, allow_missing=True)


class Answerback:
    r"""A test's listeners on a server. They end with `close`, or with the test.

    listener = answerback.listen(framing="line", rules=[{"when": "PING", "do": [{"send": "+PONG\r\n"}]}])
    socket.create_connection(listener.address)
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._names: list[str] = []
        self._seen: list[str] = []

    @property
    def server(self) -> Server:
        """The server, for all tests of this process."""
        return self._server

    @property
    def client(self) -> "Client":
        """A client of the server's admin API."""
        return self._server.client

    def listen(
        self,
        /,
        *,
        framing: Value = None,
        rules: Sequence[Value] = (),
        faults: Sequence[Value] = (),
        address: str = "127.0.0.1:0",
        name: str = "",
        **fields: Value,
    ) -> Listener:
        """Listen on a free port; `address` says where else: `[::1]:0`, `unix:/PATH`.

        The arguments are the fields of a listener, with values as in YAML: see docs/reference/configuration.md. Raises
        ConfigRejected with every problem, ServerDied if the server has ended.
        """
        self._server.check()
        name = name or f"test-{next(self._server.numbers)}"
        given = {"name": name, "address": address, "framing": framing, "rules": rules, "faults": faults, **fields}
        with self._server.alive():
            self.client.create_listener({field: value for field, value in given.items() if value not in (None, ())})
            self._names.append(name)
            self._seen.append(name)
            bound = next(each.address for each in self.client.get_status().listeners if each.name == name)
        return Listener(self.client, name, bound)

    def signal(self, name: str, count: int = 1) -> "Signalled":
        """Give a signal that steps `wait` of its listeners wait for; see `Client.signal`."""
        return self.client.signal(name, count)

    def conversation(self) -> str:
        """Return the last requests to its listeners with their replies, as text. Empty if there were none."""
        return conversation(self.client, self._seen)

    def close(self) -> None:
        """Remove its listeners, and reset the connections that are still open. A server that has ended has none."""
        with self._server.alive():
            while self._names and self._server.running:
                name = self._names.pop()
                self.client.delete_listener(name, allow_missing=True)
                self.client.close_connections(listener=name, reset=True)


def _awaitable(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make a method to await of one that blocks: it runs in a thread, whatever event loop a test has."""

    @functools.wraps(method)
    async def call(self: Any, *args: P.args, **named: P.kwargs) -> T:
        return await asyncio.to_thread(method, self.blocking, *args, **named)

    return call  # type: ignore[return-value]  # wraps forgets that `self` is given by its position


class AsyncListener:
    """A listener that was made for a test: the methods of `Listener`, to await."""

    def __init__(self, blocking: Listener) -> None:
        self.blocking = blocking
        self.name = blocking.name

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect: host and port."""
        return self.blocking.address

    @property
    def host(self) -> str:
        """The host to connect to."""
        return self.blocking.host

    @property
    def port(self) -> int:
        """The port to connect to."""
        return self.blocking.port

    @property
    def path(self) -> str:
        """The path of its Unix socket."""
        return self.blocking.path

    def __repr__(self) -> str:
        return repr(self.blocking)

    update = _awaitable(Listener.update)
    exchanges = _awaitable(Listener.exchanges)
    mark = _awaitable(Listener.mark)
    verify = _awaitable(Listener.verify)
    wait_for = _awaitable(Listener.wait_for)
    status = _awaitable(Listener.status)
    reset_counters = _awaitable(Listener.reset_counters)
    drain = _awaitable(Listener.drain)
    resume = _awaitable(Listener.resume)
    close = _awaitable(Listener.close)


class AsyncAnswerback:
    """A test's listeners on a server: the methods of `Answerback`, to await."""

    def __init__(self, blocking: Answerback) -> None:
        self.blocking = blocking

    @property
    def server(self) -> Server:
        """The server, for all tests of this process."""
        return self.blocking.server

    async def listen(self, /, **fields: Value) -> AsyncListener:
        """Listen on a free port, as `Answerback.listen` does, with its arguments."""
        return AsyncListener(await _listen(self, **fields))

    signal = _awaitable(Answerback.signal)
    close = _awaitable(Answerback.close)


_listen = _awaitable(Answerback.listen)
