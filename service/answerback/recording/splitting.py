"""A client's stream to requests, by the framings that the server will use."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from answerback.core.framing import Framing, Malformed
from answerback.document.document import load
from answerback.language.check import check
from answerback.language.context import Compiling
from answerback.language.framing import compile_framing
from answerback.language.problems import Problem
from answerback.recording.flow import Bare
from answerback.recording.streams import Stream


class Invalid(ValueError):
    """No framing. The text says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request in a stream."""

    data: bytes
    """As rules see it."""
    begin: int
    end: int
    """Where its bytes begin and end in the stream."""


@dataclass(frozen=True, slots=True)
class Framed:
    """The framings of a listener: the first `requests` have the framing `first`, all later ones `then`."""

    first: Bare
    then: Bare | None = None
    requests: int = 0

    def split(self, stream: Stream) -> tuple[list[Request], int]:
        """The requests in a stream, and how many bytes they take. Raises Malformed, Invalid."""
        if self.then is None:
            return split(stream, self.first)
        before, _ = split(stream, self.first, self.requests)
        at = before[-1].end if before else 0
        if len(before) < self.requests:
            return before, at
        behind, size = split(stream.behind(at), self.then)
        return [*before, *(Request(each.data, each.begin + at, each.end + at) for each in behind)], at + size


@lru_cache(maxsize=64)
def compiled(framing: Bare) -> Framing:
    """The framing of the server. Raises Invalid."""
    document = load(f"listeners: [{{name: x, address: '127.0.0.1:0', framing: {framing}}}]")
    problems = [*document.problems, *document.located(check(document.config, {}))]
    if problems:
        raise Invalid("; ".join(_said(problem) for problem in problems))
    return compile_framing(document.config.listeners[0].framing, Compiling({}))


def split(stream: Stream, framing: Bare, most: int | None = None) -> tuple[list[Request], int]:
    """The requests, at most `most`, and how many bytes they take. Raises Malformed, Invalid."""
    splitter = compiled(framing)
    if splitter.idle_gap < float("inf"):
        return _by_silence(stream, most)
    found: list[Request] = []
    framer, at, data = splitter.new_framer(), 0, stream.data
    while at < len(data) and (most is None or len(found) < most):
        rest = data[at:]
        requests, _ = framer.split(rest, 0)
        while not requests and framer.unfinished:
            requests, _ = framer.split(rest, len(rest))
        if not requests:
            break
        ends = [framer.consumed(rest, count) for count in range(1, len(requests) + 1)]
        for request, begin, end in zip(requests, [0, *ends], ends, strict=False):
            found.append(Request(bytes(request), at + begin, at + end))
        at += ends[-1]
    if at < len(data) and splitter.eof_completes and stream.finished and (most is None or len(found) < most):
        found.append(Request(data[at:], at, len(data)))
        at = len(data)
    found = found if most is None else found[:most]
    return found, found[-1].end if found else 0


def _by_silence(stream: Stream, most: int | None) -> tuple[list[Request], int]:
    ends = sorted({*(turn for turn in stream.turns if turn), *stream.gaps, len(stream.data)} - {0})[:most]
    begins = [0, *ends]
    found = [Request(stream.data[begin:end], begin, end) for begin, end in zip(begins, ends, strict=False)]
    return found, ends[-1] if ends else 0


def fits(streams: Sequence[Stream], framed: Framed) -> bool:
    """Whether the server always answered at the end of a request, and every stream ends with one."""
    for stream in streams:
        try:
            requests, size = framed.split(stream)
        except Malformed:
            return False
        ends = {0, *(request.end for request in requests)}
        if any(turn not in ends for turn in stream.turns) or (size < len(stream.data) and not stream.cut):
            return False
    return True


def _said(problem: Problem) -> str:
    return problem.message if "framing" not in problem.path else f"{problem.path.partition('.')[2]}: {problem.message}"
