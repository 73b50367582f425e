"""The calls of the journal."""

import socket
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from answerback import client as clients
from answerback.v1.journal_service_pb2 import (
    Exchange,
    ExchangeFilter,
    ListExchangesRequest,
    ListExchangesResponse,
    WaitForExchangesRequest,
    WaitForExchangesResponse,
)
from tests.cli.conftest import Api
from tests.client.conftest import Face
from tests.waiting import eventually

LINES: dict[str, Any] = {
    "name": "lines",
    "address": "127.0.0.1:0",
    "framing": "line",
    "rules": [
        {"event": "CONNECT", "do": [{"send": "hello\n"}]},
        {"name": "ping", "when": "PING", "do": [{"send": "+PONG\n"}]},
        {"name": "never", "when": "NEVER", "do": ["close"]},
    ],
}


@pytest.fixture
def mark(client: Face) -> str:
    """A moment before the client says PING, PONG and closes: the server is that of other tests too."""
    client.do(lambda api: api.create_listener(LINES))
    mark: str = client.do(lambda api: api.create_mark()).mark
    address = client.do(lambda api: api.get_status()).listeners[0].address
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as peer:
        peer.sendall(b"PING\nPONG\n")
        assert peer.makefile("rb").readline() == b"hello\n"
        assert client.do(lambda api: api.wait_for_exchanges(count=2, timeout=30, since=mark)).fulfilled
    return mark


def test_exchanges_are_listed_and_filtered(client: Face, mark: str) -> None:
    first, second = client.do(lambda api: api.list_exchanges(since=mark))
    assert (first.listener, first.number, first.rule, first.reply.data) == ("lines", 1, "ping", b"+PONG\n")
    assert (second.request, second.rule, second.reply.size) == (
        clients.Body(data=b"PONG", size=4, truncated=False),
        "",
        0,
    )
    assert "is not" in second.mismatch
    assert first.state == "DONE"
    assert abs(datetime.now(UTC) - first.time) < timedelta(hours=1)
    assert timedelta(0) <= first.own_time < timedelta(minutes=1)
    for filtered in (
        {"rule": "ping", "listener": "lines"},
        {"match": b"PING"},
        {"match": "PING"},
        {"match": {"suffix": "ING"}},
        {"id": first.id},
        {"connection": first.connection, "peer": first.peer, "match": {"equals": "PING"}},
    ):
        found = client.do(lambda api, filtered=filtered: api.list_exchanges(since=mark, **filtered))  # type: ignore[misc]
        assert [each.id for each in found] == [first.id], filtered
    assert [each.id for each in client.do(lambda api: api.list_exchanges(since=mark, unmatched=True))] == [second.id]
    assert client.do(lambda api: api.list_exchanges(since=mark, faulted=True)) == []
    assert client.do(lambda api: api.list_exchanges(since=mark, state="ABANDONED")) == []
    newest = client.do(lambda api: api.list_exchanges(since=mark, newest=True, limit=1))
    assert [each.id for each in newest] == [second.id]
    assert client.do(lambda api: api.list_exchanges(since=mark, limit=0)) == []


def test_pages_of_exchanges_are_followed(scripted: Face, api: Api) -> None:
    pages = {"": (["a", "b"], "c"), "c": (["c"], "")}

    def page(_context: object) -> ListExchangesResponse:
        asked: Any = api.asked[-1]
        ids, following = pages[asked.page_token]
        return ListExchangesResponse(exchanges=[Exchange(id=each) for each in ids], next_page_token=following)

    api.answers["ListExchanges"] = page
    assert [each.id for each in scripted.do(lambda client: client.list_exchanges(state="DONE"))] == ["a", "b", "c"]
    which = ExchangeFilter(state="EXCHANGE_STATE_DONE")  # type: ignore[arg-type]  # the name of a value is one
    assert api.asked == [ListExchangesRequest(filter=which, page_size=1000, page_token=token) for token in ("", "c")]
    assert len(scripted.do(lambda client: client.list_exchanges(limit=2))) == 2
    assert len(api.asked) == 3


def test_exchanges_are_verified(client: Face, mark: str) -> None:
    for expected, outcome in (
        ({}, "HOLDS"),
        ({"exactly": 2}, "HOLDS"),
        ({"exactly": 0}, "FAILS"),
        ({"at_least": 3}, "FAILS"),
        ({"at_most": 1}, "FAILS"),
        ({"never": True}, "FAILS"),
        ({"match": b"QUIT", "never": True}, "HOLDS"),
        ({"in_order": [b"PING", {"prefix": "PO"}]}, "HOLDS"),
        ({"in_order": [b"PONG", b"PING"]}, "FAILS"),
    ):
        found = client.do(lambda api, expected=expected: api.verify_exchanges(since=mark, **expected))  # type: ignore[misc]
        assert found.outcome == outcome, (expected, found.text)
    unused = client.do(lambda api: api.verify_exchanges(listener="lines", all_rules_used=True))
    assert (unused.outcome, unused.unused_rules) == ("FAILS", ("lines/never",))
    nearest = client.do(lambda api: api.verify_exchanges(since=mark, match=b"PINK")).nearest
    assert nearest[0].exchange.request.data in {b"PING", b"PONG"}
    assert "byte" in nearest[0].why


def test_waiting_is_longer_than_the_timeout_of_a_call(scripted: Face, api: Api) -> None:
    api.answers["WaitForExchanges"] = lambda context: WaitForExchangesResponse(found=int(context.time_remaining()))
    waited = scripted.do(lambda client: client.with_timeout(20).wait_for_exchanges(timeout=100, count=3, listener="a"))
    assert 100 < waited.found < 121
    (asked,) = api.asked
    assert isinstance(asked, WaitForExchangesRequest)
    assert (asked.timeout.seconds, asked.count, asked.filter.listener) == (100, 3, "a")


def test_wait_that_times_out_is_no_error(client: Face, mark: str) -> None:
    waited = client.do(
        lambda api: api.wait_for_exchanges(match=b"QUIT", since=mark, timeout=timedelta(milliseconds=10))
    )
    assert (waited.fulfilled, waited.found, waited.exchanges) == (False, 0, ())
    assert waited.nearest


def test_events_and_ends_of_connections_are_listed(client: Face, mark: str) -> None:
    def both() -> list[Any]:
        events: list[Any] = client.do(lambda api: api.list_events(listener="lines", since=mark))
        return events if len(events) == 2 else []

    answered, closed = eventually(both)
    assert (answered.answered.event, answered.answered.reply.data, answered.closed) == ("CONNECT", b"hello\n", None)
    assert (closed.closed.by, closed.closed.requests, closed.closed.received_bytes) == ("client", 2, 10)
    assert client.do(lambda api: api.list_events(connection="none")) == []
    assert client.do(lambda api: api.list_events(since=mark, limit=1)) == [closed]


def test_watch_of_exchanges_begins_and_receives(client: Face) -> None:
    client.do(lambda api: api.create_listener(LINES))
    host, _, port = client.do(lambda api: api.get_status()).listeners[0].address.rpartition(":")
    over = threading.Event()

    def ask_until_the_watch_has_begun() -> None:
        while not over.wait(0.02):
            with socket.create_connection((host, int(port)), 10) as peer:
                peer.sendall(b"PING\n")

    asking = threading.Thread(target=ask_until_the_watch_has_begun)
    asking.start()
    try:
        seen = client.until(
            lambda api: api.watch_exchanges(listener="lines", events=True),
            lambda found: any(each.exchange for each in found) and any(each.event for each in found),
        )
    finally:
        over.set()
        asking.join()
    assert (seen[0].started, seen[0].exchange, seen[0].event, seen[0].lost) == (True, None, None, 0)
    assert not any(each.started for each in seen[1:])
    assert not any(each.exchange and each.event for each in seen)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda api: api.list_exchanges(match={"prefx": "a"}), "match.prefx: no such field; did you mean prefix?"),
        (lambda api: api.verify_exchanges(in_order=[b"a", {"x": 1}]), r"in_order\[1\]\.x: no such field"),
        (lambda api: api.list_exchanges(state="OVER"), "state is one of IN_PROGRESS, DONE, ABANDONED, not 'OVER'"),
        (lambda api: api.verify_exchanges(exactly=1, never=True), "only one of exactly, never can be given"),
        (lambda api: api.list_exchanges(since="nonsense"), "mark"),
        (lambda api: api.list_exchanges(rule="ping"), "listener"),
    ],
)
def test_filter_that_makes_no_sense_is_an_error(client: Face, call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        client.do(call)
