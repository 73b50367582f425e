"""The arguments of a Redis command, as expressions see them."""

import re
from collections.abc import Iterator
from typing import Final

MAX_ARGUMENTS: Final = 20_000  # 10 ms

LENGTH: Final = re.compile(rb"\$([0-9]{1,20})\r\n")
NOT_SPACE: Final = re.compile(rb"[^ \t\r\n]+")


def argument(request: bytes, at: int) -> bytes:
    """Return the argument at this place, from 0: the command's name is the first. Negative places count from the end.

    Raises IndexError if there is none, or if more than MAX_ARGUMENTS would have to be counted.
    """
    if at < 0:
        return list(_arguments(request))[at]
    for number, found in enumerate(_arguments(request)):
        if number == at:
            return found
    raise IndexError


def _arguments(request: bytes) -> Iterator[bytes]:
    """Yield the arguments. Raises IndexError behind MAX_ARGUMENTS."""
    for number, found in enumerate(_all_arguments(request)):
        if number == MAX_ARGUMENTS:
            raise IndexError
        yield found


def _all_arguments(request: bytes) -> Iterator[bytes]:
    if not request.startswith(b"*"):
        yield from (found[0] for found in NOT_SPACE.finditer(request))
        return
    at = request.find(b"\n") + 1
    while (length := LENGTH.match(request, at)) is not None:
        end = length.end() + int(length[1])
        yield request[length.end() : end]
        at = end + 2
