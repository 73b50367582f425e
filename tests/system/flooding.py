"""Hostile clients of the admin port, with HTTP/2 (RFC 9113) written by hand, and their cost for the server."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Self

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.waiting import eventually

# Rule: a flood ends when it is sent, or when the server takes no more of it.

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1

HEALTH = b"/grpc.health.v1.Health/Check"
GET_CONFIG = b"/answerback.v1.ConfigService/GetConfig"
VALIDATE_CONFIG = b"/answerback.v1.ConfigService/ValidateConfig"
WATCH_CONFIG = b"/answerback.v1.ConfigService/WatchConfig"
REFLECTION = b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """A frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


BEGIN = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)
PINGS = frame(PING, b"12345678") * 1000


def message(data: bytes = b"", *, compressed: bool = False) -> bytes:
    """A message as gRPC frames it."""
    return bytes((compressed,)) + len(data).to_bytes(4, "big") + data


def _integer(value: int) -> bytes:
    """RFC 7541, section 5.1, with a prefix of 7 bits."""
    if value < 127:
        return bytes((value,))
    written, value = b"\x7f", value - 127
    while value > 127:
        written, value = written + bytes((value & 127 | 128,)), value >> 7
    return written + bytes((value,))


def literal(name: bytes, value: bytes, *, indexed: bool = False) -> bytes:
    """A field with a new name, as it is (RFC 7541, section 6.2)."""
    return (b"\x40" if indexed else b"\0") + _integer(len(name)) + name + _integer(len(value)) + value


def headers(path: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """What a call begins with."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"admin"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *more,
    )
    return b"".join(literal(name, value) for name, value in fields)


def call(path: bytes, number: int, *parts: bytes, end: bool = True, more: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A call, the `number`-th of its connection, with these bytes as its data."""
    stream = 2 * number + 1
    frames = [frame(HEADERS, headers(path, *more), END_HEADERS, stream)]
    frames += [frame(DATA, part, 0, stream) for part in parts]
    return b"".join(frames) + (frame(DATA, b"", END_STREAM, stream) if end else b"")


def again(chunk: bytes, count: int) -> Iterator[bytes]:
    """The same frames `count` times, in pieces of 64 KiB and more."""
    each = max(1, (64 << 10) // len(chunk))
    for _ in range(count // each):
        yield chunk * each


def _resets(path: bytes, count: int) -> Iterator[bytes]:
    """Streams that are reset as soon as they are opened (CVE-2023-44487)."""
    for number in range(count):
        yield call(path, number, end=False) + frame(RST_STREAM, b"\0\0\0\x08", 0, 2 * number + 1)


_OPEN = frame(HEADERS, headers(HEALTH), 0, 1)  # a field section that goes on
_LONG, _LONGEST = (b"m", b"v" * 7_000), (b"m", b"v" * 7_900)

FLOODS: dict[str, Callable[[], Iterable[bytes]]] = {
    "pings": lambda: again(PINGS, 400),
    "acknowledged pings": lambda: again(frame(PING, bytes(8), ACK), 400_000),
    "settings": lambda: again(frame(SETTINGS), 400_000),
    "long settings": lambda: again(frame(SETTINGS, struct.pack(">HI", 4, 65535) * 100), 20_000),
    "empty data": lambda: chain([call(HEALTH, 0, end=False)], again(frame(DATA, b"", 0, 1), 400_000)),
    "empty data of a stream": lambda: chain([call(REFLECTION, 0, end=False)], again(frame(DATA, b"", 0, 1), 400_000)),
    "empty messages": lambda: chain(
        [call(REFLECTION, 0, end=False)], again(frame(DATA, message() * 100, 0, 1), 20_000)
    ),
    "data of a call that is over": lambda: chain([call(HEALTH, 0)], again(frame(DATA, b"x", 0, 1), 200_000)),
    "rapid reset": lambda: _resets(HEALTH, 100_000),
    "rapid reset of no method": lambda: _resets(b"/no/method", 100_000),
    "continuation": lambda: chain(
        [_OPEN],
        again(frame(CONTINUATION, literal(b"k", b"v" * 16_000), 0, 1), 8_000),
    ),
    "empty continuation": lambda: chain([_OPEN], again(frame(CONTINUATION, b"", 0, 1), 400_000)),
    "small continuation": lambda: chain([_OPEN], again(frame(CONTINUATION, literal(b"a", b"b"), 0, 1), 600_000)),
    "a table's entry again and again": lambda: chain(
        [frame(HEADERS, headers(HEALTH) + literal(b"k", b"v" * 3_900, indexed=True), 0, 1)],
        again(frame(CONTINUATION, b"\xbe" * 16_000, 0, 1), 1_000),
    ),
    "window updates": lambda: again(frame(WINDOW_UPDATE, b"\0\0\0\x01"), 400_000),
    "window updates of a call": lambda: chain(
        [call(HEALTH, 0, end=False)], again(frame(WINDOW_UPDATE, b"\0\0\0\x01", 0, 1), 400_000)
    ),
    "priorities": lambda: (frame(PRIORITY, b"\0\0\0\0\x10", 0, 2 * number + 1) for number in range(200_000)),
    "unknown frames": lambda: again(frame(0x77, b"x" * 16_000), 8_000),
    "empty unknown frames": lambda: again(frame(0x77), 400_000),
    "goaway": lambda: again(frame(GOAWAY, bytes(8)), 400_000),
    "resets of no stream": lambda: (frame(RST_STREAM, b"\0\0\0\x08", 0, 2 * number + 1) for number in range(200_000)),
    "calls without a message": lambda: (call(HEALTH, number, end=False, more=[_LONG]) for number in range(4_000)),
    "large metadata": lambda: (call(HEALTH, number, more=[_LONGEST]) for number in range(8_000)),
    "a frame too long": lambda: chain([b"\xff\xff\xff\0\0\0\0\0\1"], again(bytes(1000), 100_000)),
    "half messages": lambda: (
        call(VALIDATE_CONFIG, number, b"\0" + (4 << 20).to_bytes(4, "big") + bytes(16_000), end=False)
        for number in range(900)
    ),
    "answers that are not read": lambda: (call(GET_CONFIG, number, message()) for number in range(900)),
    "watches that are not read": lambda: (call(WATCH_CONFIG, number, message()) for number in range(900)),
}
"""The frames of each kind of flood, made for one connection."""


@dataclass
class Flood:
    """A connection over which a flood is sent."""

    peer: socket.socket
    sent: int = 0

    def send(self, chunks: Iterable[bytes]) -> None:
        """Send until it is all sent, or nothing of it was taken for a second."""
        self.peer.settimeout(1.0)
        with suppress(OSError):
            for chunk in chain([BEGIN], chunks):
                rest = memoryview(chunk)
                while rest:
                    taken = self.peer.send(rest)
                    self.sent += taken
                    rest = rest[taken:]


def connect(address: str) -> socket.socket:
    """A connection to HOST:PORT."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), 10.0)


def memory(pid: int, what: str) -> float:
    """MiB of a process: resident now (VmRSS), or at the most since it began (VmHWM) (proc_pid_status(5))."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


@dataclass
class Watched:
    """A server's health, asked for on a connection of its own all the while, and the memory that it takes.

    The kernel keeps the peak: what is looked at now and then misses a peak that is short.
    """

    address: str
    pid: int
    answered: int = 0
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin with what it takes when it is asked this and nothing else."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        eventually(lambda: self.answered >= 20 or self.failures, what="health")
        self.base = memory(self.pid, "VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        """Call again, and end."""
        self.settle()
        self._over.set()
        self._thread.join(30)

    def settle(self) -> None:
        """Wait until it has answered a hundred times without taking more memory than before."""
        before, peak = self.answered, self._peak()

        def settled() -> bool:
            nonlocal before, peak
            if peak < self._peak():
                before, peak = self.answered, self._peak()
            return self.answered >= before + 100 or bool(self.failures)

        eventually(settled, 60.0, "health, and no more memory")

    @property
    def growth(self) -> float:
        """MiB more than it began with, at the most."""
        return self._peak() - self.base

    def _peak(self) -> float:
        return memory(self.pid, "VmHWM")

    def _watch(self) -> None:
        with grpc.insecure_channel(self.address) as channel:
            check = channel.unary_unary(
                HEALTH.decode(), HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )
            while not self._over.wait(0.002) and not self.failures:
                try:
                    assert check(HealthCheckRequest(), timeout=20).status == HealthCheckResponse.SERVING
                except (grpc.RpcError, AssertionError) as failure:
                    self.failures.append(repr(failure))
                self.answered += 1
