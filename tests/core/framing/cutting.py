"""Streams fed to framings in pieces, as a session does; and the properties of every framing."""

import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import FrameType
from typing import Any, NamedTuple, SupportsIndex

import pytest
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, Buffer, Framing, Malformed


class Outcome(NamedTuple):
    """What comes of a stream: the requests, the bytes left over, and the fault that ended it, if one did."""

    requests: list[bytes]
    left: bytes
    fault: str = ""


def cut(framing: Framing, pieces: Sequence[bytes], kind: type[bytes] | type[bytearray] = bytearray) -> Outcome:
    """Feed a stream in these pieces. On the way the promises are checked that a session relies on."""
    cutter = framing.new_framer()
    requests: list[bytes] = []
    buffer: Buffer = kind()
    searched = promised = 0
    for piece in pieces:
        buffer += piece
        more = True
        while more:
            try:
                found, end = cutter.split(buffer, searched)
                more, searched = len(found) == MAX_BATCH, 0
                check_found(buffer, found, end)
                if found:
                    assert len(found[0]) >= promised
                    promised = 0
                    requests += found
                    buffer = kept(buffer, end)
                if not more and buffer:
                    searched = len(buffer)
                    promised = max(promised, cutter.min_length(buffer))
            except Malformed as fault:
                check_fault(framing, buffer, str(fault))
                return Outcome(requests, b"", str(fault))
    return Outcome(requests, bytes(buffer))


def check_found(buffer: Buffer, found: Sequence[bytes], end: int) -> None:
    assert len(found) <= MAX_BATCH
    assert (end == 0) == (not found)
    assert end <= len(buffer)
    assert all(isinstance(request, bytes) for request in found)


def check_fault(framing: Framing, buffer: Buffer, fault: str) -> None:
    """A framing that has just begun finds the same fault at once, either way it is asked."""
    assert fault
    asks: list[Callable[[Framing], object]] = [
        lambda begun: begun.split(buffer, 0),
        lambda begun: begun.min_length(buffer),
    ]
    for ask in asks:
        for begun in (framing, framing.new_framer()):
            with pytest.raises(Malformed) as again:
                ask(begun)
            assert str(again.value) == fault


def kept(buffer: Buffer, at: int) -> Buffer:
    """What is behind: a bytearray is shortened in place, which fails if a framing has kept a view of it."""
    if isinstance(buffer, bytearray):
        del buffer[:at]
        return buffer
    return buffer[at:]


def byte_by_byte(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def in_pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:end] for start, end in pairwise(at)]


CUTS = st.lists(st.integers(0, 1000), max_size=10)
KINDS = st.sampled_from([bytes, bytearray])


def streams(*parts: bytes, most: int = 30) -> st.SearchStrategy[bytes]:
    """Streams made of these parts, and now and then of any byte."""
    anything = st.binary(min_size=1, max_size=3)
    return st.lists(st.sampled_from(parts) | anything, max_size=most).map(b"".join)


def check_case(framing: Framing, stream: bytes, requests: list[bytes], left: bytes, fault: str = "") -> None:
    """h11's way: every case whole, byte by byte, and with trailing data."""
    expected = Outcome(requests, left, fault)
    for kind in (bytes, bytearray):
        assert cut(framing, [stream], kind) == expected
        assert cut(framing, byte_by_byte(stream), kind) == expected
        for trailing in (b"\x00", b"\r\n", b"a" * 100, stream):
            with_more = cut(framing, [stream + trailing], kind)
            if fault:
                assert with_more == expected
            else:
                assert with_more.requests[: len(requests)] == requests
    check_consumed(framing, stream)


def check_cutting_never_matters(framing: Framing, stream: bytes, cuts: list[int], kind: type[bytes]) -> None:
    whole = cut(framing, [stream])
    assert cut(framing, in_pieces(stream, cuts), kind) == whole
    assert cut(framing, byte_by_byte(stream)) == whole


def check_consumed(framing: Framing, stream: bytes) -> None:
    """However few of the requests are taken, the others are found behind them."""
    cutter = framing.new_framer()
    try:
        found, end = cutter.split(stream, 0)
    except Malformed:
        return
    assert cutter.consumed(stream, len(found)) == end
    for number in range(len(found)):
        behind = stream[cutter.consumed(stream, number) :]
        again, _ = cutter.split(behind, 0)
        assert list(again[: len(found) - number]) == list(found[number:])


class Scanned(bytearray):
    """A buffer that counts the bytes that are gone through when something is looked for in it."""

    bytes_scanned = 0

    def find(self, sub: Any, start: SupportsIndex | None = None, end: SupportsIndex | None = None, /) -> int:
        first = 0 if start is None else int(start)
        last = len(self) if end is None else min(int(end), len(self))
        found = super().find(sub, first, last)
        self.bytes_scanned += max(0, (last if found < 0 else found + 1) - first)
        return found

    def count(self, sub: Any, start: SupportsIndex | None = None, end: SupportsIndex | None = None, /) -> int:
        self.bytes_scanned += len(self) - (0 if start is None else int(start))
        return super().count(sub, start, end)


class ScannedByRe:
    """A compiled expression of the module `re` that counts the bytes it goes through in a `Scanned`."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern

    def search(self, buffer: Scanned, start: int = 0, end: int = sys.maxsize) -> re.Match[bytes] | None:
        found = self._pattern.search(buffer, start, end)
        buffer.bytes_scanned += (found.end() if found else min(end, len(buffer))) - start
        return found


def work(framing: Framing, stream: bytes, piece: int = 1) -> int:
    """What it takes to hear a request in pieces: the lines of Python run, and the bytes scanned."""
    cutter, buffer, lines = framing.new_framer(), Scanned(), 0

    def count(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    for at in range(0, len(stream), piece):
        searched = len(buffer)
        buffer += stream[at : at + piece]
        sys.settrace(count)
        try:
            found, _ = cutter.split(buffer, searched)
            if not found:
                cutter.min_length(buffer)
        finally:
            sys.settrace(before)
        assert not found
    return lines + buffer.bytes_scanned


def check_linear(framing: Framing, begin: bytes, more: bytes) -> None:
    """Four times the bytes of one request take four times the work, byte by byte: sixteen times would be quadratic."""
    assert work(framing, begin + 800 * more) < 6 * work(framing, begin + 200 * more)
