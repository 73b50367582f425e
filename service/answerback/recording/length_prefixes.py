"""Binary length prefixes that the requests of some streams may have."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from answerback.recording.flow import Bare
from answerback.recording.streams import Stream

# Rule: what is found here is only likely; `splitting.fits` decides.

OFFSETS: Final = range(9)  # bytes before the length: a type, flags, an identifier, a magic number
WIDTHS: Final = (4, 2, 3, 1)  # the widest first: the upper bytes of a wide length are mostly 0
ENCODINGS: Final[Mapping[str, Any]] = {"BIG_ENDIAN": "big", "LITTLE_ENDIAN": "little"}
MAX_AHEAD: Final = 64  # requests looked at of each stream


def length_prefixes(streams: Sequence[Stream]) -> Iterator[dict[str, Any]]:
    """Yield each length prefix by which every turn of every stream is at the end of a request."""
    for width, offset, encoding in product(WIDTHS, OFFSETS, ENCODINGS):
        if width == 1 and encoding != "BIG_ENDIAN":
            continue
        # The length counts what follows it; itself too; all of the request; or what follows one more byte, as in MySQL.
        for adjust in dict.fromkeys((0, -width, -width - offset, 1)):
            if all(_fits(stream, offset, width, ENCODINGS[encoding], adjust) for stream in streams):
                extent = {"offset": offset} if offset else {}
                order = {} if encoding == "BIG_ENDIAN" else {"encoding": Bare(encoding)}
                yield {"length_prefix": {**extent, **order, "width": width, **({"adjust": adjust} if adjust else {})}}


def _fits(stream: Stream, offset: int, width: int, order: Any, adjust: int) -> bool:
    data, at = stream.data, 0
    turns = {turn for turn in stream.turns if turn}
    for _ in range(MAX_AHEAD):
        prefix = at + offset + width
        if prefix > len(data):
            break
        end = prefix + int.from_bytes(data[at + offset : prefix], order) + adjust
        if end < prefix or end > len(data):
            return stream.cut and end > len(data) and not any(turn > at for turn in turns)
        if any(at < turn < end for turn in turns):
            return False
        at = end
    else:
        return True
    return at == len(data) or (stream.cut and not any(turn > at for turn in turns))
