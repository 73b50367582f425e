"""Plays a talk over a network."""

# Rule: the clock of `within` starts before bytes are sent, so that a reply never seems early because this side is late.

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Final, Self

from answerback.core.escapes import quote
from answerback.talk.network import Endpoint, Network
from answerback.talk.script import (
    Action,
    Connect,
    ConnectFails,
    Expect,
    ExpectEof,
    ExpectLine,
    ExpectReset,
    ExpectSilence,
    Instruction,
    Send,
    SendEof,
    StartTls,
    SwitchTo,
    Wait,
    Within,
)

PATIENCE_SECONDS: Final = 3.0
ROUNDING_SECONDS: Final = 1e-9  # of a difference of times


class TalkFailed(Exception):
    """A talk went otherwise than written."""

    def __init__(self, instruction: Instruction, message: str) -> None:
        super().__init__(f"line {instruction.number}: {instruction.text}: {message}")
        self.instruction = instruction
        self.message = message


class _Otherwise(Exception):
    """The bytes or the end that came in place of the expected ones."""


@dataclass(slots=True)
class _Connection:
    endpoint: Endpoint
    received: bytearray = field(default_factory=bytearray)
    """Bytes that no expectation has taken yet."""


class Player:
    """One client, or several by name. Closes its connections at the end of a `with` block."""

    def __init__(self, network: Network, patience: float = PATIENCE_SECONDS, tolerance: float = 0.0) -> None:
        """Without a connection yet.

        `patience`: seconds to wait for the next byte. `tolerance`: by how many seconds more than `within` allows
        something may be late, on a busy machine.
        """
        self._network = network
        self._patience = patience
        self._tolerance = tolerance
        self._connections: dict[str, _Connection] = {}
        self._name = ""
        self._since = self._network.now()
        self._window: Within | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._connections.values():
            each.endpoint.close()
        self._connections.clear()

    def play(self, instructions: Iterable[Instruction]) -> None:
        """Follow every instruction. Raises TalkFailed at the first that goes otherwise."""
        for instruction in instructions:
            try:
                self._follow(instruction.action)
                if isinstance(instruction.action, Expect | ExpectLine | ExpectEof | ExpectReset | ExpectSilence):
                    self._check_time()
            except _Otherwise as problem:
                raise TalkFailed(instruction, str(problem)) from None
            except TimeoutError:
                message = f"timed out after {self._patience:g} s; received {quote(bytes(self._received()))}"
                raise TalkFailed(instruction, message) from None
            except OSError as error:
                raise TalkFailed(instruction, error.strerror or str(error)) from None

    @singledispatchmethod
    def _follow(self, action: Action) -> None:
        raise TypeError(action)

    @_follow.register
    def _(self, action: Connect) -> None:
        if action.name:
            self._name = action.name
        self._open(self._patience)

    @_follow.register
    def _(self, action: ConnectFails) -> None:
        expected = ConnectionRefusedError if action.timeout is None else TimeoutError
        try:
            self._open(self._patience if action.timeout is None else action.timeout)
        except expected:
            return
        raise _Otherwise("the connection was accepted")

    @_follow.register
    def _(self, action: SwitchTo) -> None:
        if action.name not in self._connections:
            raise _Otherwise(f"there is no connection named {action.name}")
        self._name, self._since = action.name, self._network.now()

    @_follow.register
    def _(self, action: Send) -> None:
        current, self._since = self._current(), self._network.now()
        current.endpoint.send(action.data, self._patience)

    @_follow.register
    def _(self, _action: SendEof) -> None:
        current, self._since = self._current(), self._network.now()
        current.endpoint.send_eof()

    @_follow.register
    def _(self, _action: StartTls) -> None:
        self._no_more_bytes("TLS handshake")
        current, self._since = self._current(), self._network.now()
        current.endpoint = current.endpoint.start_tls(self._patience)

    @_follow.register
    def _(self, action: Expect) -> None:
        received = self._current().received
        wanted = action.data
        while len(received) < len(wanted) and wanted.startswith(received):
            if not self._read():
                raise _Otherwise(f"the server closed after {quote(bytes(received))}")
        if not received.startswith(wanted):
            raise _Otherwise(_difference(wanted, bytes(received[: len(wanted)])))
        del received[: len(wanted)]

    @_follow.register
    def _(self, action: ExpectLine) -> None:
        received = self._current().received
        while (end := received.find(b"\n") + 1) == 0:
            if not self._read():
                raise _Otherwise(f"the server closed after {quote(bytes(received))}")
        line = bytes(received[:end])
        if not action.pattern.search(line.decode("latin-1")):
            raise _Otherwise(f"received {quote(line)}")
        del received[:end]

    @_follow.register
    def _(self, _action: ExpectEof) -> None:
        self._no_more_bytes("end")
        if self._read():
            self._no_more_bytes("end")

    @_follow.register
    def _(self, _action: ExpectReset) -> None:
        self._no_more_bytes("reset")
        try:
            more = self._read()
        except ConnectionResetError:
            return
        if more:
            self._no_more_bytes("reset")
        raise _Otherwise("the server closed in order, without a reset")

    @_follow.register
    def _(self, action: ExpectSilence) -> None:
        received = self._current().received
        try:
            if not received and not self._read(action.seconds):
                raise _Otherwise("the server closed")
        except TimeoutError:
            return
        raise _Otherwise(f"received {quote(bytes(received))}")

    @_follow.register
    def _(self, action: Within) -> None:
        self._window = action

    @_follow.register
    def _(self, action: Wait) -> None:
        self._network.sleep(action.seconds)
        self._since = self._network.now()

    def _open(self, timeout: float) -> None:
        if (former := self._connections.pop(self._name, None)) is not None:
            former.endpoint.close()
        self._since = self._network.now()
        self._connections[self._name] = _Connection(self._network.connect(timeout))

    def _current(self) -> _Connection:
        if self._name not in self._connections:
            self._open(self._patience)
        return self._connections[self._name]

    def _received(self) -> bytearray:
        return self._connections[self._name].received if self._name in self._connections else bytearray()

    def _read(self, patience: float | None = None) -> bytes:
        """Read once: bytes, or none at the end. Raises TimeoutError or ConnectionResetError."""
        current = self._current()
        data = current.endpoint.read(self._patience if patience is None else patience)
        current.received += data
        return data

    def _no_more_bytes(self, until: str) -> None:
        if received := self._current().received:
            raise _Otherwise(f"received {quote(bytes(received))} before the {until}")

    def _check_time(self) -> None:
        took, self._since = self._network.now() - self._since, self._network.now()
        window, self._window = self._window, None
        if (
            window is not None
            and not window.least <= took + ROUNDING_SECONDS <= window.most + self._tolerance + 2 * ROUNDING_SECONDS
        ):
            raise _Otherwise(f"it took {took:.3f} s, not {window.least:g} to {window.most:g} s")


def _difference(wanted: bytes, received: bytes) -> str:
    at = next(at for at, byte in enumerate(wanted) if received[at : at + 1] != bytes((byte,)))
    return f"received {quote(received)}: byte {at} is {quote(received[at : at + 1])}, not {quote(wanted[at : at + 1])}"
