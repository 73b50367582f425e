"""A model of framing, written from the rules of the language only: each time from the beginning."""

import re
from typing import NamedTuple

from answerback.v1 import config_pb2 as v1
from tests.core.framing import plain_http, plain_resp


class Malformed(Exception):
    """What was heard begins no request."""


class Frame(NamedTuple):
    """A request as rules see it, and how many bytes of the stream it took."""

    request: bytes
    size: int


def bytes_of(given: v1.Bytes | v1.Literal | v1.Payload) -> bytes:
    return bytes.fromhex(given.hex) if given.WhichOneof("bytes") == "hex" else given.text.encode()


def first(framing: v1.Framing, heard: bytes, head: bytes = b"") -> Frame | None:
    """The first request of what was heard; None if it is not whole. `head`: that of the body that it begins with."""
    kind = framing.WhichOneof("kind") or "read"
    if framing.http.head_first:
        return _head_or_body(heard, head)
    if kind == "read":
        most = framing.read.max_bytes if framing.read.HasField("max_bytes") else 1024
        return Frame(heard[:most], len(heard[:most])) if heard else None
    if kind in {"idle", "until_eof"}:
        return None
    if kind in {"http", "resp"}:
        return _walked(kind, heard)
    for size in range(1, len(heard) + 1):  # the shortest beginning that is a request
        request = _whole(framing, heard[:size])
        if request is not None:
            return Frame(request, size)
    return None


def takes_the_rest(framing: v1.Framing) -> bool:
    """Whether what is left when the peer closes its half is a request."""
    return (framing.WhichOneof("kind") or "read") in {"read", "idle", "until_eof"}


def least(framing: v1.Framing, heard: bytes) -> int:  # noqa: PLR0911 - one for each framing
    """How many bytes the request will have at least that begins with what was heard, and is not whole."""
    kind = framing.WhichOneof("kind")
    if kind == "fixed":
        return framing.fixed.size
    if kind == "length_prefix":
        prefix = framing.length_prefix
        known = _prefix(prefix, heard)
        if known is None:
            return 0 if prefix.strip else _least_prefix(prefix, heard)
        head, size = known
        return size - (head if prefix.strip else 0)
    if kind == "dot_stuffed":
        return len(_unstuffed(framing.dot_stuffed.keep, _lines_before_a_dot(heard)))
    if kind == "websocket":
        head, length = _websocket_head(heard) or (0, 0)
        return length
    if kind == "line" and not framing.line.keep_ending:
        return len(heard) - heard.endswith(b"\r")
    if kind == "delimiter" and not framing.delimiter.keep:
        end = bytes_of(framing.delimiter.end)
        return len(heard) - max(size for size in range(len(end)) if heard.endswith(end[:size]))
    return len(heard)


def _whole(framing: v1.Framing, frame: bytes) -> bytes | None:  # noqa: C901, PLR0911 - one for each framing
    """The request, if the frame is whole with its last byte."""
    kind = framing.WhichOneof("kind")
    if kind == "line":
        if not frame.endswith(b"\n"):
            return None
        return frame if framing.line.keep_ending else frame[:-1].removesuffix(b"\r")
    if kind == "delimiter":
        end = bytes_of(framing.delimiter.end)
        if not frame.endswith(end):
            return None
        return frame if framing.delimiter.keep else frame.removesuffix(end)
    if kind == "dot_stuffed":
        *before, last = re.findall(rb"[^\n]*\n|[^\n]+", frame)
        return _unstuffed(framing.dot_stuffed.keep, before) if last in {b".\n", b".\r\n"} else None
    if kind == "websocket":
        head, length = _websocket_head(frame) or (len(frame), 1)
        if len(frame) < head + length:
            return None
        return bytes(byte ^ frame[head - 4 + at % 4] for at, byte in enumerate(frame[head:]))
    if kind == "pattern":
        return frame if re.search(framing.pattern.end.encode(), frame, re.ASCII) else None
    if kind == "fixed":
        return frame if len(frame) == framing.fixed.size else None
    known = _prefix(framing.length_prefix, frame)
    if known is None or len(frame) < known[1]:
        return None
    return frame[known[0] :] if framing.length_prefix.strip else frame


def _lines_before_a_dot(heard: bytes) -> list[bytes]:
    """The lines; the last one not if it may become the line that is a dot."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+", heard)
    return lines[:-1] if lines[-1] in {b".", b".\r"} else lines


def _unstuffed(keep: bool, lines: list[bytes]) -> bytes:
    return b"".join(line[1:] if line.startswith(b".") and not keep else line for line in lines)


def _websocket_head(frame: bytes) -> tuple[int, int] | None:
    """The sizes of the head, mask included, and of the payload; None while they are not known."""
    final, opcode = divmod(frame[0], 128)
    if opcode not in {0, 1, 2, 8, 9, 10} or (opcode > 7 and not final) or (len(frame) > 1 and frame[1] < 128):
        raise Malformed
    if opcode > 7 and (frame[1:2] >= b"\xfe" or (opcode == 8 and frame[1:2] == b"\x81")):
        raise Malformed
    if (frame[1:2] == b"\xfe" and b"\0\0" <= frame[2:4] < b"\0\x7e") or (
        frame[1:2] == b"\xff" and (frame[2:8] == bytes(6) or frame[2:3] > b"\x7f")
    ):
        raise Malformed
    size = {254: 4, 255: 10}.get(frame[1], 2) if len(frame) > 1 else 2
    if len(frame) < size:
        return None
    return size + 4, int(frame[2:size].hex(), 16) if size > 2 else frame[1] - 128


def _prefix(prefix: v1.Framing.LengthPrefix, frame: bytes) -> tuple[int, int] | None:
    """The sizes of the prefix and of the whole frame; None if the prefix is not whole."""
    for head in range(prefix.offset + 1, len(frame) + 1):
        length = _length(prefix, frame[prefix.offset : head])
        if length is not None:
            if length + prefix.adjust < 0:
                raise Malformed
            return head, head + length + prefix.adjust
    return None


def _least_prefix(prefix: v1.Framing.LengthPrefix, heard: bytes) -> int:
    """How many bytes the prefix has at least that begins with these."""
    begun = heard[prefix.offset :]
    if prefix.encoding == v1.Framing.LengthPrefix.ENCODING_BER and begun:
        return prefix.offset + begun[0] - 127
    return max(prefix.offset + (prefix.width or 1 + prefix.HasField("until")), len(heard) + 1)


def _length(prefix: v1.Framing.LengthPrefix, written: bytes) -> int | None:
    """The number that these bytes are; None if they go on."""
    kind = v1.Framing.LengthPrefix.Encoding.Name(prefix.encoding)
    if kind in {"ENCODING_DECIMAL", "ENCODING_HEX"}:
        return _digits(prefix, written, 16 if kind == "ENCODING_HEX" else 10)
    if kind == "ENCODING_VARINT":
        if written[-1] >= 128 and len(written) == 10:
            raise Malformed
        bits = "".join(f"{byte:08b}"[1:] for byte in reversed(written))
        return int(bits, 2) if written[-1] < 128 else None
    if kind == "ENCODING_BER":
        if written[0] == 128 or written[0] > 136:
            raise Malformed
        size = max(1, written[0] - 127)
        return int(written[size > 1 :].hex(), 16) if len(written) == size else None
    if len(written) < prefix.width:
        return None
    number = written if kind == "ENCODING_LITTLE_ENDIAN" else bytes(reversed(written))
    return int(sum(byte * 256**place for place, byte in enumerate(number)))


def _digits(prefix: v1.Framing.LengthPrefix, written: bytes, base: int) -> int | None:
    until = bytes_of(prefix.until) if prefix.HasField("until") else b""
    if until and written[1:].endswith(until):
        return int(written[:-1], base)
    if written[-1:].lower() not in [b"%x" % digit for digit in range(base)] or len(written) > 20:
        raise Malformed
    return int(written, base) if len(written) == prefix.width else None


def _head_or_body(heard: bytes, head: bytes) -> Frame | None:
    try:
        if head:
            _, end = plain_http.request_at_the_beginning(head + heard)
            return Frame(heard[: end - len(head)], end - len(head))
        start, end = plain_http.head_at_the_beginning(heard)
    except plain_http.Short:
        return None
    except plain_http.Bad:
        raise Malformed from None
    return Frame(heard[start:end], end)


def head_before_a_body(framing: v1.Framing, request: bytes) -> bytes:
    """The request, if it is a head whose body is the next request; else nothing."""
    return request if framing.http.head_first and plain_http.announces_body(request) else b""


def waits_for_interim(framing: v1.Framing, heard: bytes, head: bytes) -> bool:
    """Whether the client waits to be asked for the body of the request that is not whole."""
    if framing.WhichOneof("kind") != "http":
        return False
    try:
        start, end = (0, 0) if head else plain_http.head_at_the_beginning(heard)
    except plain_http.Short:
        return False
    return plain_http.expects_interim(head or heard[start:end])


def _walked(kind: str, heard: bytes) -> Frame | None:
    if not heard:
        return None
    try:
        if kind == "http":
            start, end = plain_http.request_at_the_beginning(heard)
        else:
            start, end = 0, len(heard) - len(plain_resp.behind_the_first(heard))
    except (plain_http.Short, plain_resp.Short):
        return None
    except (plain_http.Bad, plain_resp.Bad):
        raise Malformed from None
    return Frame(heard[start:end], end)
