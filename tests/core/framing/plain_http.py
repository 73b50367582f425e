"""A second parser of HTTP requests: line by line from the beginning."""

import contextlib

from tests.core.framing.cutting import Outcome


class Short(Exception):
    pass


class Bad(Exception):
    pass


def line_at(stream: bytes, at: int) -> tuple[bytes, int]:
    line, ending, _ = stream[at:].partition(b"\n")
    if not ending:
        raise Short
    return line, at + len(line) + 1


def fields_at(stream: bytes, at: int) -> tuple[list[bytes], int]:
    fields: list[bytes] = []
    while True:
        line, at = line_at(stream, at)
        if line in {b"", b"\r"}:
            return fields, at
        if fields and line[:1] in {b" ", b"\t"}:
            fields[-1] += b"\n" + line
        else:
            fields.append(line)


def values_of(name: bytes, fields: list[bytes]) -> list[bytes]:
    values: list[bytes] = []
    for field in fields:
        said, colon, value = field.partition(b":")
        if colon and said.rstrip(b" \t").lower() == name:
            if said.endswith((b" ", b"\t")):
                raise Bad
            values += [part.strip(b" \t\r").lower() for part in value.split(b",")]
    return values


def chunks_end(stream: bytes, at: int) -> int:
    while True:
        line, at = line_at(stream, at)
        size, _, extension = line[:-1].partition(b";")
        size = size.rstrip(b" \t")
        if line[-1:] != b"\r" or b"\r" in extension or not 1 <= len(size) <= 16:
            raise Bad
        if size.strip(b"0123456789abcdefABCDEF"):
            raise Bad
        if not int(size, 16):
            while line_at(stream, at)[0] not in {b"", b"\r"}:
                _, at = line_at(stream, at)
            return line_at(stream, at)[1]
        at += int(size, 16)
        if len(stream) < at + 2:
            raise Short
        if stream[at : at + 2] != b"\r\n":
            raise Bad
        at += 2


def start_of_head(stream: bytes) -> int:
    """Behind the empty lines."""
    start = lines = 0
    while stream[start : start + 1] == b"\n" or stream[start : start + 2] == b"\r\n":
        start += 1 if stream[start : start + 1] == b"\n" else 2
        lines += 1
        if lines > 64:
            raise Bad
    if len(stream) == start or (stream[start:] == b"\r" and lines < 64):
        raise Short
    if stream[start : start + 1] == b"\r":
        raise Bad
    return start


def head_at_the_beginning(stream: bytes) -> tuple[int, int]:
    """Where the head begins and ends; a fault in what it says of the body is one in the head."""
    start = start_of_head(stream)
    _, end = fields_at(stream, start)
    with contextlib.suppress(Short):
        request_at_the_beginning(stream[start:end])
    return start, end


def announces_body(head: bytes) -> bool:
    try:
        request_at_the_beginning(head)
    except Short:
        return True
    return False


def expects_interim(head: bytes) -> bool:
    (line, *fields), _ = fields_at(head, 0)
    said = [field.partition(b":") for field in fields]
    waits = any(
        name.lower() == b"expect" and value.strip(b" \t\r").lower() == b"100-continue" for name, _, value in said
    )
    return waits and not line.rstrip(b" \t\r").endswith(b" HTTP/1.0")


def request_at_the_beginning(stream: bytes) -> tuple[int, int]:
    start = start_of_head(stream)
    (_, *fields), at = fields_at(stream, start)
    lengths, codings = values_of(b"content-length", fields), values_of(b"transfer-encoding", fields)
    if codings:
        codings = [coding for coding in codings if coding]
        if lengths or not codings or codings.pop() != b"chunked" or b"chunked" in codings:
            raise Bad
        return start, chunks_end(stream, at)
    if not all(length.isdigit() and len(length) <= 20 for length in lengths) or len(set(map(int, lengths))) > 1:
        raise Bad
    end = at + int(lengths[0]) if lengths else at
    if end > len(stream):
        raise Short
    return start, end


def plainly(stream: bytes) -> Outcome:
    """All the requests of a stream."""
    requests: list[bytes] = []
    while stream:
        try:
            start, end = request_at_the_beginning(stream)
        except Short:
            break
        except Bad:
            return Outcome(requests, b"", "malformed")
        requests.append(stream[start:end])
        stream = stream[end:]
    return Outcome(requests, stream)
