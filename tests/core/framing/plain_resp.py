"""A second parser of Redis commands: it removes them from the beginning of the stream."""

from tests.core.framing.cutting import Outcome


class Short(Exception):
    pass


class Bad(Exception):
    pass


def number_at(stream: bytes, mark: bytes) -> tuple[int, bytes]:
    """The number on the first line, and what is behind that."""
    if not stream:
        raise Short
    if stream[:1] != mark:
        raise Bad
    line, ending, behind = stream[:24].partition(b"\n")
    if not ending:
        raise Bad if len(stream) >= 24 else Short
    digits = line[1:].removesuffix(b"\r")
    if not line.endswith(b"\r"):
        raise Bad
    if mark == b"*" and digits[:1] == b"-" and digits[1:].isdigit():
        return 0, behind + stream[24:]
    if not digits.isdigit():
        raise Bad
    return int(digits), behind + stream[24:]


def behind_the_first(stream: bytes) -> bytes:
    """What is behind the request at the beginning."""
    if stream[:1] != b"*":
        _, ending, behind = stream.partition(b"\n")
        if not ending:
            raise Short
        return behind
    count, stream = number_at(stream, b"*")
    for _ in range(count):
        size, stream = number_at(stream, b"$")
        if len(stream) < size + 2:
            raise Short
        if stream[size : size + 2] != b"\r\n":
            raise Bad
        stream = stream[size + 2 :]
    return stream


def plainly(stream: bytes) -> Outcome:
    """All the requests of a stream."""
    requests: list[bytes] = []
    while stream:
        try:
            behind = behind_the_first(stream)
        except Short:
            break
        except Bad:
            return Outcome(requests, b"", "malformed")
        requests.append(stream[: len(stream) - len(behind)])
        stream = behind
    return Outcome(requests, stream)
