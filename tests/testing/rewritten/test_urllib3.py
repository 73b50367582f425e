"""urllib3: what its socket-level handlers do.

In place of handlers of test/with_dummyserver/test_socketlevel.py of urllib3, which have 14 to 30 lines each.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from answerback.testing import Answerback, Listener

urllib3 = pytest.importorskip("urllib3")


class Pools:
    """Connection pools of a test."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def __call__(self, server: Listener, **given: Any) -> Any:
        self.made.append(urllib3.HTTPConnectionPool(*server.address, **given))
        return self.made[-1]


@pytest.fixture
def pool() -> Iterator[Pools]:
    pools = Pools()
    yield pools
    for each in pools.made:
        each.close()


def test_multi_setcookie(answerback: Answerback, pool: Pools) -> None:
    server = answerback.listen(
        framing="http",
        rules=[{"do": [{"send": "HTTP/1.1 200 OK\r\nSet-Cookie: foo=1\r\nSet-Cookie: bar=1\r\n\r\n"}, "close"]}],
    )
    response = pool(server).request("GET", "/", retries=0)
    assert response.headers.getlist("set-cookie") == ["foo=1", "bar=1"]


def test_recovery_when_server_closes_connection(answerback: Answerback, pool: Pools) -> None:
    bodies = [[{"respond": {"status": 200, "body": f"Response {number}"}}, "close"] for number in (0, 1)]
    server = answerback.listen(framing="http", rules=[{"replies": {"of": bodies}}])
    http = pool(server)
    assert [http.request("GET", "/", retries=1).data for _ in range(2)] == [b"Response 0", b"Response 1"]


def test_connection_read_timeout(answerback: Answerback, pool: Pools) -> None:
    server = answerback.listen(framing="http", rules=[{"do": ["hang"]}])
    http = pool(server, timeout=0.05, retries=False, maxsize=3, block=True)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        http.request("GET", "/", release_conn=False)
    assert http.pool.qsize() == http.pool.maxsize


def test_retry_when_server_closes_connection_without_a_response(answerback: Answerback, pool: Pools) -> None:
    server = answerback.listen(
        framing="http",
        rules=[{"do": [{"respond": {"status": 200, "body": "foo"}}]}],
        faults=[{"times": 1, "reset": {}}],
    )
    assert pool(server).request("GET", "/", retries=1).data == b"foo"
    assert server.status().connections_accepted == 2


def test_connection_cleanup_on_a_body_that_ends_early(answerback: Answerback, pool: Pools) -> None:
    server = answerback.listen(
        framing="http", rules=[{"do": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}, "close"]}]
    )
    response = pool(server).request("GET", "/", retries=0, preload_content=False)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        response.read()
    assert response.connection is None


def test_slow_body_times_out_while_it_is_read(answerback: Answerback, pool: Pools) -> None:
    server = answerback.listen(
        framing="http", rules=[{"do": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabc"}, "hang"]}]
    )
    response = pool(server, timeout=urllib3.Timeout(connect=10, read=0.05)).request(
        "GET", "/", retries=0, preload_content=False
    )
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        response.read()


def test_header_without_a_name_is_not_followed_by_a_smuggled_one(answerback: Answerback, pool: Pools) -> None:
    server = answerback.listen(
        framing="http",
        rules=[{"do": [{"send": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: a\r\n b\r\n\r\nabc"}, "close"]}],
    )
    response = pool(server).request("GET", "/", retries=0)
    assert (response.data, response.headers["X"].split()) == (b"abc", ["a", "b"])
