"""The parts of an HTTP/1.1 request (RFC 9112), as expressions and `respond` see them.

Each function takes a request that `http` has found: a whole one; with `head_first`, a head or a body, which knows its
head. Of any other bytes it makes what it can.
"""

import re
from functools import lru_cache
from itertools import islice
from typing import Final

from answerback.core.framing.http import HttpBody

# Rule: each function takes time that is linear in the length of the request.

MAX_VALUES: Final = 64  # of one header field; further values are ignored
MAX_CHUNKS: Final = 20_000  # of a body that is decoded: 10 ms

END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
AUTHORITY: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[^\n]*\n")


def head(request: bytes) -> bytes:
    """Return the head, with the empty line at its end."""
    if isinstance(request, HttpBody):
        return request.head
    end = END_OF_HEAD.search(request)
    return request if end is None else request[: end.end()]


def method(request: bytes) -> bytes:
    """Return the method, `GET` for example."""
    return _request_line(request)[0]


def target(request: bytes) -> bytes:
    """Return the target as it was sent."""
    return _request_line(request)[1]


def path(request: bytes) -> bytes:
    """Return the path within the target: without the query, and without scheme and host."""
    return _path_and_query(request)[0]


def query(request: bytes) -> bytes:
    """Return what follows the `?` of the target; empty if there is none."""
    return _path_and_query(request)[1]


def version(request: bytes) -> bytes:
    """Return the version, `HTTP/1.1` for example; empty if the request line has none."""
    return _request_line(request)[2]


def header(request: bytes, name: bytes) -> bytes:
    """Return a header field's value, whatever the case of its name; several are joined with `, `; else empty."""
    found = islice(_field(name.lower()).finditer(head(request)), MAX_VALUES)
    return b", ".join(each[1].replace(b"\r\n", b" ").replace(b"\n", b" ").strip(b" \t\r") for each in found)


def body(request: bytes) -> bytes:
    """Return the body, decoded if it was sent in chunks. Raises ValueError for more than MAX_CHUNKS of them."""
    top = head(request)
    sent = request if isinstance(request, HttpBody) else request[len(top) :]
    if sent and header(top, b"transfer-encoding"):
        return _from_chunks(sent)
    return bytes(sent)


def asks_to_close(request: bytes) -> bool:
    """Whether the client wants the connection closed behind the reply (RFC 9112, 9.3)."""
    top = head(request)
    options = [option.strip(b" \t").lower() for option in header(top, b"connection").split(b",")]
    return b"close" in options or (version(top) == b"HTTP/1.0" and b"keep-alive" not in options)


def asks_to_keep_alive(request: bytes) -> bool:
    """Whether a client of HTTP/1.0 wants to be told that the connection stays open."""
    return version(head(request)) == b"HTTP/1.0" and not asks_to_close(request)


def _request_line(request: bytes) -> tuple[bytes, bytes, bytes]:
    """Return method, target and version."""
    top = request.head if isinstance(request, HttpBody) else request
    end = top.find(b"\n")
    name, _, rest = (top if end < 0 else top[:end]).strip(b" \t\r").partition(b" ")
    before, _, last = rest.strip(b" ").rpartition(b" ")
    return (name, before.rstrip(b" "), last) if last.startswith(b"HTTP/") else (name, rest.strip(b" "), b"")


def _path_and_query(request: bytes) -> tuple[bytes, bytes]:
    sent = target(request)
    absolute = AUTHORITY.match(sent)
    before, _, after = (sent[absolute.end() :] if absolute else sent).partition(b"?")
    return before or (b"/" if absolute else b""), after


@lru_cache(256)
def _field(name: bytes) -> re.Pattern[bytes]:
    """Return the expression that finds the values of a header field."""
    return re.compile(rb"\n%b[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)" % re.escape(name), re.IGNORECASE)


def _from_chunks(sent: bytes) -> bytes:
    """Return the data of chunks, as far as they are well-formed."""
    data: list[bytes] = []
    at = 0
    while (size := CHUNK.match(sent, at)) is not None and (length := int(size[1], 16)):
        if len(data) == MAX_CHUNKS:
            raise ValueError(f"the body has more than {MAX_CHUNKS} chunks")
        data.append(sent[size.end() : size.end() + length])
        at = size.end() + length + 2
    return b"".join(data)
