"""Plays a talk: the bytes that a client sends and must receive. See `answerback/examples/README.md`."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 10.0  # seconds without a byte before a talk fails
LATE = 10.0  # by how much a busy machine may be later than a talk allows; the earliest moment is kept to exactly


class Talk:
    """One client, saying its lines one after another. AssertionError names the line that went otherwise."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._sock: socket.socket | None = None
        self._heard = b""
        self._window: tuple[float, float] | None = None
        self._since = 0.0

    def play(self, path: Path) -> None:
        """Say and hear every line of the file."""
        try:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                word, _, rest = line.strip().partition(" ")
                if not word or word.startswith("#"):
                    continue
                try:
                    self._verbs[word](self, rest.strip())
                except (AssertionError, OSError) as problem:
                    raise AssertionError(f"{path.name}:{number}: {line}: {problem!r}, heard {self._heard!r}") from None
        finally:
            if self._sock is not None:
                self._sock.close()

    def _connect(self, _rest: str = "") -> None:
        if self._sock is not None:
            self._sock.close()
        self._heard, self._since = b"", time.monotonic()
        self._sock = socket.create_connection(self._address, PATIENCE)

    @property
    def _open(self) -> socket.socket:
        if self._sock is None:
            self._connect()
        assert self._sock is not None
        return self._sock

    def _say(self, what: str) -> None:
        sock, self._since = self._open, time.monotonic()
        if what == "eof":
            sock.shutdown(socket.SHUT_WR)
        else:
            sock.sendall(payload(what))

    def _wait(self, seconds: str) -> None:
        threading.Event().wait(float(seconds))
        self._since = time.monotonic()

    def _within(self, bounds: str) -> None:
        low, high = bounds.split()
        self._window = float(low), float(high)

    def _hear(self, what: str) -> None:
        if what == "eof":
            self._hear_nothing()
        elif what == "reset":
            try:
                self._hear_nothing()
            except ConnectionResetError:
                pass
            else:
                raise AssertionError("closed in order, not reset")
        elif what.startswith("silence"):
            self._hear_silence(float(what.split()[1]))
        elif what.startswith("/"):
            while b"\n" not in self._heard:
                assert self._more(), "closed"
            line, _, self._heard = self._heard.partition(b"\n")
            assert re.search(what[1:-1], line.decode("latin-1") + "\n"), f"heard {line!r}"
        else:
            wanted = payload(what)
            while len(self._heard) < len(wanted) and wanted.startswith(self._heard):
                assert self._more(), "closed"
            assert self._heard[: len(wanted)] == wanted
            self._heard = self._heard[len(wanted) :]
        self._check_time()

    def _check_time(self) -> None:
        took, self._since = time.monotonic() - self._since, time.monotonic()
        if self._window is not None:
            (low, high), self._window = self._window, None
            assert low <= took <= high + LATE, f"took {took:.3f} s"

    def _hear_nothing(self) -> None:
        assert not self._heard
        assert not self._more()

    def _hear_silence(self, seconds: float) -> None:
        assert not self._heard
        try:
            more = self._more(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"heard {more!r}" if more else "closed")

    def _more(self, patience: float = PATIENCE) -> bytes:
        self._open.settimeout(patience)
        more = self._open.recv(1 << 16)
        self._heard += more
        return more

    _verbs: dict[str, Callable[["Talk", str], None]] = {  # noqa: RUF012 - it is never changed
        "connect": _connect,
        ">": _say,
        "<": _hear,
        "wait": _wait,
        "within": _within,
    }


def payload(word: str) -> bytes:
    """The bytes that a talk writes as a JSON string, or as `hex …`."""
    if word.startswith("hex "):
        return bytes.fromhex(word[4:])
    text: str = json.loads(word)
    return text.encode("latin-1")
