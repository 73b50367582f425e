"""How a configuration says that bytes become requests, to a core framing."""

from collections.abc import Callable, Mapping

from answerback.config import durations, payloads
from answerback.core import framing
from answerback.v1 import config_pb2 as v1

# Rule: a default stands here, once, and in the documents; nothing else knows what an absent field means.

DEFAULT_READ_BYTES = 1024  # both of the original servers took that much for a request


_Files = Mapping[str, bytes]


def framing_of(given: v1.Framing, files: _Files) -> framing.Framing:
    """How bytes become requests; `read` unless given. Raises ValueError for what `check` would have refused."""
    return _FRAMINGS[given.WhichOneof("kind") or "read"](given, files)


def _read(given: v1.Framing, _files: _Files) -> framing.Framing:
    return framing.Read(given.read.max_bytes if given.read.HasField("max_bytes") else DEFAULT_READ_BYTES)


def _delimiter(given: v1.Framing, files: _Files) -> framing.Framing:
    return framing.Delimiter(payloads.decode(given.delimiter.end, files), given.delimiter.keep)


def _fixed(given: v1.Framing, _files: _Files) -> framing.Framing:
    if given.fixed.WhichOneof("bytes") == "size_from":
        raise ValueError("a size that is settled when a step runs is no listener's own")
    return framing.Fixed(given.fixed.size)


def _length_prefix(given: v1.Framing, _files: _Files) -> framing.Framing:
    prefix = given.length_prefix
    return framing.LengthPrefix(prefix.offset, prefix.width, prefix.little_endian, prefix.adjust, prefix.strip)


_FRAMINGS: Mapping[str, Callable[[v1.Framing, _Files], framing.Framing]] = {
    "read": _read,
    "line": lambda given, _: framing.Line(given.line.keep_ending),
    "delimiter": _delimiter,
    "pattern": lambda given, _: framing.Pattern(given.pattern.end),
    "fixed": _fixed,
    "length_prefix": _length_prefix,
    "idle": lambda given, _: framing.Idle(durations.seconds(given.idle.gap)),
    "until_eof": lambda _given, _files: framing.UntilEof(),
    "http": lambda _given, _files: framing.Http(),
    "resp": lambda _given, _files: framing.Resp(),
}
