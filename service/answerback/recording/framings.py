"""Which framing fits what clients sent, how sure that is, and why."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from answerback.core.framing import Malformed
from answerback.recording.flow import Bare, flow
from answerback.recording.length_prefixes import length_prefixes
from answerback.recording.splitting import Framed, fits, split
from answerback.recording.streams import SILENT_SECONDS, Stream
from answerback.recording.wording import counted

# Rule: a framing is proposed only if every answer of the server began where a request ends.

SURE_TURNS: Final = 3
SURE_LENGTHS: Final = 2
MAX_FIRST: Final = 3  # requests at the beginning that may have a framing of their own
SILENCE: Final = flow({"idle": {"gap": f"{round(SILENT_SECONDS * 1000)}ms"}})

_HTTP: Final = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r?\n")
_RESP: Final = re.compile(rb"\*\d+\r\n\$")
_DIGITS: Final = re.compile(rb"\d{1,8}([: ,])")
_MQTT: Final = re.compile(rb"\x10.{1,4}\x00\x04MQTT|\x10.{1,4}\x00\x06MQIsdp", re.DOTALL)
_NOT_TEXT: Final = re.compile(rb"[^\t\r\n\x20-\x7e\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Given:
    """A framing, and where it is from."""

    framed: Framed
    sure: bool
    why: str
    """How well it fits; or that the user has chosen it."""


def proposal(streams: Sequence[Stream]) -> Given:
    """The framing that fits best. Every stream has bytes."""
    for framed, what in _candidates(streams):
        if fits(streams, framed):
            return _rated(streams, framed, what)
    return Given(
        Framed(SILENCE), sure=False, why="no framing fits every turn, so silence ends a request; name one by --framing"
    )


def _candidates(streams: Sequence[Stream]) -> Iterator[tuple[Framed, str]]:
    for written, what in _of_all(streams):
        yield Framed(written), what
    for count in range(1, MAX_FIRST + 1):
        for first, what in _of_first(streams, count):
            behind = _behind(streams, first, count)
            if not behind:
                continue
            for then, other in _of_all(behind):
                yield Framed(first, then, count), f"{what}, then {other}"


def _of_all(streams: Sequence[Stream]) -> Iterator[tuple[Bare, str]]:
    """The framings that all requests may have, the most telling first."""
    if _all_begin(streams, _HTTP):
        yield Bare("http"), "requests are HTTP/1"
    if _all_begin(streams, _RESP):
        yield Bare("resp"), "requests are Redis commands"
    if _all_begin(streams, _DIGITS):
        yield from _decimal(streams)
    if any(_NOT_TEXT.search(stream.data) for stream in streams):
        yield from _binary(streams)
    if all(stream.data.endswith(b"\n") for stream in streams):
        yield Bare("line"), "requests are lines"
    if all(stream.answered_after_end and len(stream.turns) == 1 for stream in streams):
        yield Bare("until_eof"), "the server answers when the client has closed its half"


def _all_begin(streams: Sequence[Stream], pattern: re.Pattern[bytes]) -> bool:
    return all(pattern.match(stream.data) for stream in streams)


def _binary(streams: Sequence[Stream]) -> Iterator[tuple[Bare, str]]:
    if _all_begin(streams, _MQTT):
        yield flow({"length_prefix": {"offset": 1, "encoding": Bare("VARINT")}}), "requests are MQTT packets"
    if all(stream.data.startswith(b"\x30") for stream in streams):
        yield flow({"length_prefix": {"offset": 1, "encoding": Bare("BER")}}), "requests are BER sequences"
    for written in length_prefixes(streams):
        yield flow(written), "requests have their length in front"
    if all(
        stream.data.endswith((b"\0", b"\0\n")) and not _NOT_TEXT.search(stream.data.replace(b"\0", b""))
        for stream in streams
    ):
        yield flow({"delimiter": {"end": {"hex": "00"}}}), "requests end with a zero byte"


def _decimal(streams: Sequence[Stream]) -> Iterator[tuple[Bare, str]]:
    until = {found.group(1) for stream in streams if (found := _DIGITS.match(stream.data))}
    if len(until) == 1:
        end = until.pop().decode()
        for adjust in (0, 1):
            prefix = {"encoding": Bare("DECIMAL"), "until": end, **({"adjust": adjust} if adjust else {})}
            yield flow({"length_prefix": prefix}), "requests have their length in digits in front"


def _of_first(streams: Sequence[Stream], count: int) -> Iterator[tuple[Bare, str]]:
    """The framings that the first requests alone may have."""
    heads = [Stream(stream.data[: _end_of_turn(stream, count)], []) for stream in streams]
    yield from _of_all([head for head in heads if head.data])


def _end_of_turn(stream: Stream, count: int) -> int:
    turns = [turn for turn in stream.turns if turn]
    return turns[count - 1] if len(turns) >= count else len(stream.data)


def _behind(streams: Sequence[Stream], first: Bare, count: int) -> list[Stream]:
    """What follows the first requests of each stream; none if a stream does not have them."""
    found = []
    for stream in streams:
        try:
            requests, size = split(stream, first, count)
        except Malformed:
            return []
        if len(requests) < count:
            return []
        found.append(stream.behind(size))
    return [rest for rest in found if rest.data]


def _rated(streams: Sequence[Stream], framed: Framed, what: str) -> Given:
    requests = [request for stream in streams for request in framed.split(stream)[0]]
    turns = sum(1 for stream in streams for turn in stream.turns if turn)
    lengths = len({len(request.data) for request in requests})
    sure = turns >= SURE_TURNS and lengths >= SURE_LENGTHS
    counts = f"{counted(turns, 'answer')} behind {counted(len(requests), 'request')} of {counted(lengths, 'length')}"
    why = f"{what}; {counts}"
    return Given(framed, sure, why if sure else f"{why}: too few to be sure")
