"""Splitting what was recorded into requests."""

import pytest

from answerback.core.framing import Malformed
from answerback.recording.flow import Bare
from answerback.recording.splitting import split
from answerback.recording.streams import Stream

HTTP = Bare("http")
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


def test_bytes_behind_the_requests_that_are_wanted_are_not_looked_at() -> None:
    stream = Stream(REQUEST + b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n")
    found, size = split(stream, HTTP, 1)
    assert ([request.data for request in found], size) == ([REQUEST], len(REQUEST))
    with pytest.raises(Malformed):
        split(stream, HTTP, 2)
