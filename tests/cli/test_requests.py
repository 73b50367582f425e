"""`answerback requests`, `tail` and `verify`; `connections` and `close`."""

import json
from typing import Any

import pytest

from answerback.language.editing import NoSuchListener
from answerback.v1 import config_pb2 as v1
from answerback.v1 import connection_service_pb2 as connections
from answerback.v1 import journal_service_pb2 as pb


def exchange(request: bytes = b"PING", reply: bytes = b"+PONG\r\n", **fields: Any) -> pb.Exchange:
    made = pb.Exchange(
        id="0.1.0", listener="redis", worker=1, connection="7-1", number=3, peer="192.0.2.1:4000",
        request=pb.Body(data=request, size=len(request)), rule="ping", reply=pb.Body(data=reply, size=len(reply)),
        state=pb.EXCHANGE_STATE_DONE, **fields,
    )  # fmt: skip
    made.time.FromJsonString("2026-01-02T03:04:05.678Z")
    made.own_time.FromMilliseconds(2)
    return made


def closed() -> pb.JournalEvent:
    end = pb.ConnectionEnd(reason="peer_reset", by="client", reset=True, received_bytes=5, sent_bytes=7, requests=1)
    end.duration.FromMilliseconds(1500)
    event = pb.JournalEvent(listener="redis", connection="7-1", peer="192.0.2.1:4000", closed=end)
    event.time.FromJsonString("2026-01-02T03:04:06Z")
    return event


LINE = '03:04:05.678  redis  7-1#3  192.0.2.1:4000  "PING"  ->  ping  "+PONG\\r\\n"  2.0 ms\n'


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_requests_prints_each_exchange_in_a_line(api: Any, cli: Any) -> None:
    api.answers["ListExchanges"] = pb.ListExchangesResponse(exchanges=[exchange()])
    result = cli("requests")
    assert (result.exit_code, result.stdout, result.stderr) == (0, LINE, "")
    assert api.asked == [pb.ListExchangesRequest(filter=pb.ExchangeFilter(), page_size=1000)]


def test_requests_shows_what_was_unmatched_faulted_cut_and_delayed(api: Any, cli: Any) -> None:
    unmatched = exchange(reply=b"", mismatch='ping: is not "PONG"')
    unmatched.rule = ""
    faulted = exchange(faults=["odd", "late"])
    faulted.injected_delay.FromMilliseconds(100)
    cut = exchange()
    cut.request.size, cut.request.truncated, cut.state = 9000, True, pb.EXCHANGE_STATE_ABANDONED
    api.answers["ListExchanges"] = pb.ListExchangesResponse(exchanges=[unmatched, faulted, cut])
    lines = [line.split("  ", 4)[4] for line in cli("requests").stdout.splitlines()]
    assert lines == [
        '"PING"  ->  no rule (ping: is not "PONG")  ""  2.0 ms',
        '"PING"  ->  ping  "+PONG\\r\\n"  [odd, late]  2.0 ms + 100 ms injected',
        '"PING"... (9000 bytes)  ->  ping  "+PONG\\r\\n"  abandoned',
    ]


def test_requests_shows_what_was_forwarded_and_the_time_of_the_upstream(api: Any, cli: Any) -> None:
    unmatched, by_rule = exchange(forwarded=True), exchange(forwarded=True)
    unmatched.rule = ""
    unmatched.upstream_time.FromMicroseconds(12_300)
    api.answers["ListExchanges"] = pb.ListExchangesResponse(exchanges=[unmatched, by_rule])
    lines = [line.split("  ", 4)[4] for line in cli("requests").stdout.splitlines()]
    assert lines == [
        '"PING"  ->  forwarded  "+PONG\\r\\n"  2.0 ms + 12.3 ms upstream',
        '"PING"  ->  ping (forwarded)  "+PONG\\r\\n"  2.0 ms',
    ]


def test_requests_with_json_output_prints_an_object_per_line(api: Any, cli: Any) -> None:
    api.answers["ListExchanges"] = pb.ListExchangesResponse(exchanges=[exchange(b"\xff\x00"), exchange()])
    first, second = map(json.loads, cli("requests", "-o", "json").stdout.splitlines())
    assert (first["request"], first["reply"], first["state"]) == ({"hex": "ff00"}, {"text": "+PONG\r\n"}, "done")
    assert second["request"] == {"text": "PING"}
    assert {"time", "listener", "worker", "connection", "peer", "rule", "faults"} <= second.keys()


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        (("--listener", "a", "--rule", "b"), pb.ExchangeFilter(listener="a", rule="b")),
        (("--connection", "7-1", "--peer", "::1"), pb.ExchangeFilter(connection="7-1", peer="::1")),
        (("--unmatched", "--faulted"), pb.ExchangeFilter(unmatched=True, faulted=True)),
        (("--state", "in-progress"), pb.ExchangeFilter(state=pb.EXCHANGE_STATE_IN_PROGRESS)),
        (("--since", "M"), pb.ExchangeFilter(since="M")),
        (("--equals", r"a\xff\r\n"), pb.ExchangeFilter(match=v1.Match(equals=v1.Literal(hex="61ff0d0a")))),
        (("--prefix", ""), pb.ExchangeFilter(match=v1.Match(prefix=v1.Literal(hex="")))),
        (("--regex", "^a"), pb.ExchangeFilter(match=v1.Match(regex="^a"))),
        (("--expr", "len(request) > 3"), pb.ExchangeFilter(match=v1.Match(expr="len(request) > 3"))),
        (
            ("--contains", "a", "--regex", "b"),
            pb.ExchangeFilter(
                match=v1.Match(
                    all=v1.Match.List(of=[v1.Match(contains=v1.Literal(hex="61")), v1.Match(regex="b")]),
                )
            ),
        ),
    ],
)
def test_requests_options_choose_exchanges(
    api: Any, cli: Any, arguments: tuple[str, ...], wanted: pb.ExchangeFilter
) -> None:
    api.answers["ListExchanges"] = pb.ListExchangesResponse()
    assert cli("requests", *arguments).exit_code == 0
    found = api.asked[0].filter
    if found.match.WhichOneof("kind") == "all":
        assert sorted(each.WhichOneof("kind") for each in found.match.all.of) == ["contains", "regex"]
    else:
        assert found == wanted


def test_requests_with_limit_asks_for_the_newest(api: Any, cli: Any) -> None:
    api.answers["ListExchanges"] = pb.ListExchangesResponse(exchanges=[exchange()])
    assert cli("requests", "--limit", "20").stdout == LINE
    assert api.asked == [pb.ListExchangesRequest(filter=pb.ExchangeFilter(), page_size=20, newest=True)]


def test_requests_with_events_prints_them_too(api: Any, cli: Any) -> None:
    api.answers["ListExchanges"] = pb.ListExchangesResponse()
    api.answers["ListEvents"] = pb.ListEventsResponse(events=[closed()])
    assert cli("requests", "--events", "--listener", "redis").stdout == (
        "03:04:06.000  redis  7-1  192.0.2.1:4000  closed by client (peer_reset, RST)  1 requests  5 bytes in, 7 out"
        "  1500.0 ms\n"
    )
    assert api.asked[1] == pb.ListEventsRequest(listener="redis", page_size=1000)


def test_requests_mark_prints_a_mark(api: Any, cli: Any) -> None:
    api.answers["CreateMark"] = pb.CreateMarkResponse(mark="bWFyaw==")
    assert cli("requests", "--mark").stdout == "bWFyaw==\n"


def test_requests_with_unknown_escape_exits_with_2(cli: Any) -> None:
    result = cli("requests", "--equals", r"a\q")
    assert result.exit_code == 2
    assert r"--equals: \q (at 1) is no escape" in result.stderr


def test_requests_of_unknown_listener_fails(api: Any, cli: Any) -> None:
    api.answers["ListExchanges"] = NoSuchListener("x")
    result = cli("requests", "--listener", "x")
    assert result.exit_code == 1
    assert "x" in result.stderr


# ── tail ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def watched() -> list[pb.WatchExchangesResponse]:
    return [
        pb.WatchExchangesResponse(started=True),
        pb.WatchExchangesResponse(exchange=exchange(b"PING\xff" + b"x" * 20)),
        pb.WatchExchangesResponse(lost=3),
        pb.WatchExchangesResponse(event=closed()),
    ]


def test_tail_prints_text_with_hex_beside_it(api: Any, cli: Any) -> None:
    api.answers["WatchExchanges"] = watched()
    result = cli("tail", "--events")
    assert result.stdout.splitlines()[:5] == [
        "03:04:05.678  redis  7-1#3  192.0.2.1:4000  ping",
        "  > PING.xxxxxxxxxxx  50 49 4e 47 ff 78 78 78 78 78 78 78 78 78 78 78",
        "  > xxxxxxxxx         78 78 78 78 78 78 78 78 78",
        "  < +PONG..           2b 50 4f 4e 47 0d 0a",
        "  done  2.0 ms",
    ]
    assert "closed by client" in result.stdout.splitlines()[5]
    assert result.stderr == "3 exchanges were dropped before they could be printed\n"
    assert api.asked == [pb.WatchExchangesRequest(filter=pb.ExchangeFilter(), events=True)]


def test_tail_with_json_output_prints_an_object_per_line(api: Any, cli: Any) -> None:
    api.answers["WatchExchanges"] = watched()
    first, second = map(json.loads, cli("tail", "--events", "-o", "json").stdout.splitlines())
    assert (first["rule"], second["closed"]["reason"]) == ("ping", "peer_reset")


def test_tail_with_lines_prints_each_exchange_in_a_line(api: Any, cli: Any) -> None:
    api.answers["WatchExchanges"] = [pb.WatchExchangesResponse(exchange=exchange())]
    assert cli("tail", "--lines").stdout == LINE


# ── verify ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("outcome, status", [(pb.OUTCOME_HOLDS, 0), (pb.OUTCOME_FAILS, 1), (pb.OUTCOME_UNKNOWN, 3)])
def test_verify_exits_with_the_outcome(api: Any, cli: Any, outcome: Any, status: int) -> None:
    api.answers["VerifyExchanges"] = pb.VerifyExchangesResponse(outcome=outcome, text="expected 1, found 2")
    result = cli("verify", "--listener", "redis")
    word = pb.Outcome.Name(outcome).removeprefix("OUTCOME_").lower()
    assert (result.exit_code, result.stdout) == (status, f"{word}: expected 1, found 2\n")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((), {}),
        (("--exactly", "2"), {"exactly": 2}),
        (("--exactly", "0"), {"exactly": 0}),
        (("--at-least", "3"), {"at_least": 3}),
        (("--at-most", "4"), {"at_most": 4}),
        (("--never",), {"never": True}),
        (("--all-rules-used",), {"all_rules_used": True}),
    ],
)
def test_verify_sends_the_expectation(api: Any, cli: Any, arguments: tuple[str, ...], expected: dict[str, Any]) -> None:
    api.answers["VerifyExchanges"] = pb.VerifyExchangesResponse(outcome=pb.OUTCOME_HOLDS)
    assert cli("verify", *arguments).exit_code == 0
    assert api.asked == [pb.VerifyExchangesRequest(filter=pb.ExchangeFilter(), **expected)]


def test_verify_that_fails_shows_the_nearest_exchanges(api: Any, cli: Any) -> None:
    near = pb.Nearest(exchange=exchange(), why='is not "PINK"')
    api.answers["VerifyExchanges"] = pb.VerifyExchangesResponse(outcome=pb.OUTCOME_FAILS, text="none", nearest=[near])
    assert cli("verify").stdout == f'fails: none\n  nearest: is not "PINK"\n    {LINE}'
    data = json.loads(cli("verify", "-o", "json").stdout)
    assert (data["outcome"], data["nearest"][0]["why"], data["nearest"][0]["rule"]) == (
        "fails",
        'is not "PINK"',
        "ping",
    )


def test_verify_with_two_counts_exits_with_2(cli: Any) -> None:
    result = cli("verify", "--exactly", "1", "--never")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def test_verify_without_a_server_exits_with_2(cli: Any) -> None:
    result = cli("verify", "--server", "127.0.0.1:1")
    assert result.exit_code == 2
    assert "no Answerback server at 127.0.0.1:1" in result.stderr


# ── connections and close ───────────────────────────────────────────────────────────────────────────────────────────
def test_connections_prints_a_table_and_objects(api: Any, cli: Any) -> None:
    found = connections.Connection(
        id="7-1", listener="redis", worker=1, peer="192.0.2.1:4000", received_bytes=5, sent_bytes=7, requests=2,
        state=connections.CONNECTION_STATE_HALF_CLOSED, waits_for="hang",
    )  # fmt: skip
    found.age.FromMilliseconds(1500)
    api.answers["ListConnections"] = connections.ListConnectionsResponse(connections=[found])
    table = cli("connections", "--listener", "redis", "--peer", "192.0.2.1").stdout.splitlines()
    assert table[1].split() == ["7-1", "redis", "1", "192.0.2.1:4000", "1.5s", "5", "7", "2", "HALF_CLOSED", "hang"]
    assert api.asked == [connections.ListConnectionsRequest(listener="redis", peer="192.0.2.1", page_size=1000)]
    assert json.loads(cli("connections", "-o", "json").stdout)["waits_for"] == "hang"


def test_close_says_how_many_connections_were_closed(api: Any, cli: Any) -> None:
    api.answers["CloseConnections"] = connections.CloseConnectionsResponse(connections=2)
    assert cli("close", "7-1", "7-2", "--reset").stdout == "2 connections closed\n"
    assert json.loads(cli("close", "--listener", "a", "--peer", "::1", "-o", "json").stdout) == {"connections": 2}
    assert api.asked == [
        connections.CloseConnectionsRequest(ids=["7-1", "7-2"], reset=True),
        connections.CloseConnectionsRequest(listener="a", peer="::1"),
    ]


def test_close_without_a_choice_exits_with_2(cli: Any) -> None:
    result = cli("close")
    assert result.exit_code == 2
    assert "say which: give IDs, --listener or --peer" in result.stderr
