"""The journal of a real server with two workers, over gRPC: what clients sent is found, waited for and verified."""

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from answerback.v1 import config_pb2 as v1
from answerback.v1 import journal_service_pb2 as pb
from answerback.v1.journal_service_pb2_grpc import JournalServiceStub
from tests.system.conftest import RunningServer, Start, await_listening, end, launch
from tests.system.scraping import Metrics, worker_pids
from tests.waiting import eventually

RULES = r"""
    framing: line
    rules:
      - when: PING
        do: [send: "+PONG\r\n"]
      - {name: echo, when: {prefix: E}, do: [echo, send: "\n"]}
      - {name: slow, when: {prefix: SLOW}, do: [send: "a", delay: 100ms, send: "b\n"]}
      - {name: hang, when: {prefix: HANG}, do: [hang: {}]}
      - {name: bye, when: QUIT, do: [send: "+OK\r\n", close]}
      - {name: greet, event: EOF, do: [send: "bye\n"]}
"""
CONFIG = f"""
listeners:
  - name: callback
    address: 127.0.0.1:0
    engine: CALLBACK{RULES}
  - name: coroutine
    address: 127.0.0.1:0
    engine: COROUTINE{RULES}
  - name: six
    address: "[::1]:0"{RULES}
  - name: verified
    address: 127.0.0.1:0{RULES}
  - name: cleared
    address: 127.0.0.1:0{RULES}
  - name: unused
    address: 127.0.0.1:0{RULES}
  - name: broken
    address: 127.0.0.1:0{RULES}
    faults: [{{name: odd, truncate: {{bytes: 3}}}}]
  - name: quiet
    address: 127.0.0.1:0
    journal: {{enabled: false}}{RULES}
  - name: small
    address: 127.0.0.1:0
    journal: {{body_bytes: 4}}{RULES}
"""
ENGINES = pytest.mark.parametrize("listener", ["callback", "coroutine"])


class Watched:
    """A running server, and its journal."""

    def __init__(self, running: RunningServer, stub: JournalServiceStub) -> None:
        self.running = running
        self.stub = stub

    def connect(self, listener: str) -> socket.socket:
        return self.running.connect(listener)

    def ask(self, listener: str, data: bytes, reply: bytes) -> socket.socket:
        """Send these bytes on a new connection, and read until the reply is there."""
        sock = self.connect(listener)
        say(sock, data, reply)
        return sock

    def mark(self) -> str:
        return self.stub.CreateMark(pb.CreateMarkRequest(), timeout=20).mark

    def find(self, listener: str, **wanted: object) -> list[pb.Exchange]:
        request = pb.ListExchangesRequest(filter=chosen(listener, **wanted), page_size=1000)
        return list(self.stub.ListExchanges(request, timeout=20).exchanges)

    def verify(self, listener: str, *in_order: v1.Match, **wanted: object) -> pb.VerifyExchangesResponse:
        names = ("exactly", "at_least", "at_most", "never", "all_rules_used")
        expected = {name: wanted.pop(name) for name in names if name in wanted}
        request = pb.VerifyExchangesRequest(filter=chosen(listener, **wanted), in_order=in_order, **expected)  # type: ignore[arg-type]
        return self.stub.VerifyExchanges(request, timeout=20)

    def wait(
        self, listener: str, count: int = 1, seconds: float = 10.0, **wanted: object
    ) -> pb.WaitForExchangesResponse:
        timeout = Duration(nanos=int(seconds % 1 * 1e9), seconds=int(seconds))
        request = pb.WaitForExchangesRequest(filter=chosen(listener, **wanted), count=count, timeout=timeout)
        return self.stub.WaitForExchanges(request, timeout=20)


def chosen(listener: str, **wanted: object) -> pb.ExchangeFilter:
    return pb.ExchangeFilter(listener=listener, **wanted)  # type: ignore[arg-type]


def equals(text: str) -> v1.Match:
    return v1.Match(equals=v1.Literal(text=text))


def say(sock: socket.socket, data: bytes, reply: bytes) -> None:
    sock.sendall(data)
    received = b""
    while len(received) < len(reply):
        more = sock.recv(65536)
        assert more, f"closed after {received!r}"
        received += more
    assert received == reply


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with ExitStack() as stack:
        folder: Path = tmp_path_factory.mktemp("journal")
        config = folder / "answerback.yaml"
        config.write_text(CONFIG)
        running = launch(config, folder / "log", "--workers", "2")
        stack.callback(end, running)
        await_listening(running)
        channel = stack.enter_context(grpc.insecure_channel(running.admin))
        yield Watched(running, JournalServiceStub(channel))


@ENGINES
def test_client_that_has_its_reply_finds_its_request(served: Watched, listener: str) -> None:
    for number in range(20):
        mark = served.mark()
        with served.ask(listener, b"E%d\n" % number, b"E%d\n" % number) as sock:
            (found,) = served.find(listener, since=mark)
            peer = "{}:{}".format(*sock.getsockname())
            assert (found.request.data, found.rule) == (b"E%d" % number, "echo")
            assert (found.peer, found.listener, found.number) == (peer, listener, 1)


@ENGINES
def test_pipelined_and_repeated_requests_are_entries_of_their_own(served: Watched, listener: str) -> None:
    mark = served.mark()
    for _ in range(4):
        served.ask(listener, b"PING\r\n" * 3, b"+PONG\r\n" * 3).close()
    assert served.wait(listener, 12, since=mark, state=pb.EXCHANGE_STATE_DONE).fulfilled
    found = served.find(listener, since=mark)
    assert [(each.request.data, each.reply.data, each.rule, each.number) for each in found] == [
        (b"PING", b"+PONG\r\n", "rules[0]", number) for _ in range(4) for number in (1, 2, 3)
    ]
    assert len({each.connection for each in found}) == 4


@ENGINES
def test_reply_of_several_steps_is_complete_with_its_delay(served: Watched, listener: str) -> None:
    mark = served.mark()
    served.ask(listener, b"SLOW\n", b"ab\n").close()
    assert served.wait(listener, since=mark, state=pb.EXCHANGE_STATE_DONE).fulfilled
    (found,) = served.find(listener, since=mark)
    assert (found.reply.data, found.state) == (b"ab\n", pb.EXCHANGE_STATE_DONE)
    assert found.injected_delay.ToMilliseconds() == 100
    assert 0 < found.own_time.ToMilliseconds() + 1 < 10_000


@ENGINES
def test_request_that_hangs_is_found_and_abandoned_with_its_connection(served: Watched, listener: str) -> None:
    mark = served.mark()
    with served.connect(listener) as sock:
        sock.sendall(b"HANG\n")
        assert served.wait(listener, since=mark, state=pb.EXCHANGE_STATE_IN_PROGRESS).fulfilled
    assert served.wait(listener, since=mark, state=pb.EXCHANGE_STATE_ABANDONED).fulfilled
    assert served.verify(listener, since=mark, exactly=1).outcome == pb.OUTCOME_HOLDS


@ENGINES
def test_unmatched_request_says_which_rule_came_nearest(served: Watched, listener: str) -> None:
    mark = served.mark()
    with served.ask(listener, b"PINK\nPING\n", b"+PONG\r\n"):
        (found,) = served.find(listener, since=mark, unmatched=True)
    assert found.mismatch == 'rules[0]: is not "PING": byte 3 is "K", not "G"'
    told = served.running.told(part="a request matched no rule", listener=listener)
    assert told[0]["nearest_rule"] == "rules[0]"
    assert "PINK" not in str(told)


def test_requests_over_ipv6_have_a_peer_in_brackets(served: Watched) -> None:
    with served.ask("six", b"PING\n", b"+PONG\r\n") as sock:
        (found,) = served.find("six")
        assert found.peer == f"[::1]:{sock.getsockname()[1]}"
        assert len(served.find("six", peer="::1")) == len(served.find("six", peer=found.peer)) == 1
        assert served.find("six", peer="127.0.0.1") == []


def test_faulted_reply_is_shown_as_it_was_sent(served: Watched) -> None:
    mark = served.mark()
    served.ask("broken", b"PING\n", b"+PO").close()
    (found,) = served.find("broken", since=mark, faulted=True)
    assert (found.reply.data, list(found.faults)) == (b"+PO", ["odd"])


def test_long_bodies_are_cut_and_marked(served: Watched) -> None:
    served.ask("small", b"Echo\n", b"Echo\n").close()
    served.ask("small", b"Echo long\n", b"Echo long\n").close()
    short, long = served.find("small")
    assert (short.request.data, short.request.size, short.request.truncated) == (b"Echo", 4, False)
    assert (short.reply.data, short.reply.size, short.reply.truncated) == (b"Echo", 5, True)
    assert (long.request.data, long.request.size, long.request.truncated) == (b"Echo", 9, True)


def test_pages_together_hold_every_exchange_once(served: Watched) -> None:
    mark = served.mark()
    for number in range(25):
        served.ask("callback", b"E%d\n" % number, b"E%d\n" % number).close()
    found: list[bytes] = []
    token, sizes = "", []
    while True:
        request = pb.ListExchangesRequest(filter=chosen("callback", since=mark), page_size=10, page_token=token)
        page = served.stub.ListExchanges(request, timeout=20)
        found += [each.request.data for each in page.exchanges]
        sizes.append(len(page.exchanges))
        token = page.next_page_token
        if not token:
            break
    assert found == [b"E%d" % number for number in range(25)]
    assert sizes == [10, 10, 5]
    newest = pb.ListExchangesRequest(filter=chosen("callback", since=mark), page_size=2, newest=True)
    assert [e.request.data for e in served.stub.ListExchanges(newest, timeout=20).exchanges] == [b"E23", b"E24"]


# ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@ENGINES
def test_connection_ends_and_answers_to_events_are_listed_and_are_no_exchanges(served: Watched, listener: str) -> None:
    mark = served.mark()
    assert served.running.ask(b"PING\n", listener) == b"+PONG\r\nbye\n"

    def events() -> list[pb.JournalEvent]:
        return list(served.stub.ListEvents(pb.ListEventsRequest(listener=listener, since=mark), timeout=20).events)

    eventually(lambda: len(events()) == 2, what="both events")
    answered, closed = events()
    assert (answered.answered.event, answered.answered.rule, answered.answered.reply.data) == ("EOF", "greet", b"bye\n")
    end_of = closed.closed
    assert (end_of.reason, end_of.by, end_of.reset, end_of.requests) == ("peer_eof", "client", False, 1)
    assert (end_of.received_bytes, end_of.sent_bytes) == (5, 11)
    assert answered.connection == closed.connection
    assert len(served.find(listener, since=mark)) == 1


@ENGINES
def test_connection_that_is_reset_at_once_is_recorded_with_its_client(served: Watched, listener: str) -> None:
    mark = served.mark()
    with served.connect(listener) as sock:
        client = "{}:{}".format(*sock.getsockname())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request = pb.ListEventsRequest(listener=listener, since=mark)
    (event,) = eventually(lambda: served.stub.ListEvents(request, timeout=20).events, what="the end")
    assert (event.peer, event.closed.requests, event.closed.received_bytes) == (client, 0, 0)


# ── Waiting and verifying ───────────────────────────────────────────────────────────────────────────────────────────
def test_wait_that_is_fulfilled_already_returns_at_once(served: Watched) -> None:
    mark = served.mark()
    served.ask("callback", b"PING\n", b"+PONG\r\n").close()
    waited = served.wait("callback", since=mark, match=equals("PING"))
    assert (waited.fulfilled, waited.found, waited.exchanges[0].request.data) == (True, 1, b"PING")


def test_wait_returns_within_50_ms_of_the_request(served: Watched) -> None:
    with served.connect("callback") as sock:
        delays = []
        for _ in range(5):
            mark, returned = served.mark(), list[float]()
            waiting = threading.Thread(
                target=lambda mark=mark, returned=returned: returned.append(
                    time.monotonic() if served.wait("callback", since=mark).fulfilled else 0.0
                )
            )
            waiting.start()
            waiting.join(0.03)  # so that it waits; a wait that begins later is fulfilled at once
            began = time.monotonic()
            say(sock, b"PING\n", b"+PONG\r\n")
            waiting.join()
            delays.append(returned[0] - began)
        assert min(delays) <= 0.05  # of a server that has a processor


def test_wait_that_nothing_fulfils_shows_the_nearest_exchanges(served: Watched) -> None:
    mark = served.mark()
    served.ask("callback", b"PING\n", b"+PONG\r\n").close()
    waited = served.wait("callback", since=mark, match=equals("PINK"), seconds=0.05)
    assert (waited.fulfilled, waited.found) == (False, 0)
    assert [(each.exchange.request.data, each.why) for each in waited.nearest] == [
        (b"PING", 'is not "PINK": byte 3 is "G", not "K"')
    ]


@pytest.mark.parametrize(
    "expected, outcome",
    [
        ({}, pb.OUTCOME_HOLDS),
        ({"exactly": 2}, pb.OUTCOME_HOLDS),
        ({"exactly": 1}, pb.OUTCOME_FAILS),
        ({"exactly": 3}, pb.OUTCOME_FAILS),
        ({"at_least": 2}, pb.OUTCOME_HOLDS),
        ({"at_least": 3}, pb.OUTCOME_FAILS),
        ({"at_most": 2}, pb.OUTCOME_HOLDS),
        ({"at_most": 1}, pb.OUTCOME_FAILS),
        ({"never": True}, pb.OUTCOME_FAILS),
    ],
)
def test_verification_counts_exactly(served: Watched, expected: dict[str, object], outcome: int) -> None:
    mark = served.mark()
    served.ask("verified", b"PING\nPING\nEcho\n", b"+PONG\r\n+PONG\r\nEcho\n").close()
    verified = served.verify("verified", since=mark, match=equals("PING"), **expected)
    assert (verified.outcome, verified.found) == (outcome, 2), verified.text


def test_verification_of_an_order_allows_others_between(served: Watched) -> None:
    mark = served.mark()
    served.ask("verified", b"E1\nE2\nE3\n", b"E1\nE2\nE3\n").close()
    right = served.verify("verified", equals("E1"), equals("E3"), since=mark)
    wrong = served.verify("verified", equals("E3"), equals("E1"), since=mark)
    assert (right.outcome, wrong.outcome) == (pb.OUTCOME_HOLDS, pb.OUTCOME_FAILS)
    assert wrong.text == "expected 2 exchanges in this order, found the first 1"


def test_verification_names_rules_that_never_matched(served: Watched) -> None:
    served.ask("unused", b"PING\nE\n", b"+PONG\r\nE\n").close()
    verified = served.verify("unused", all_rules_used=True)
    assert verified.outcome == pb.OUTCOME_FAILS
    assert verified.unused_rules == ["unused/slow", "unused/hang", "unused/bye"]


def test_verification_is_unknown_where_the_journal_is_off(served: Watched) -> None:
    served.ask("quiet", b"PING\n" * 3, b"+PONG\r\n" * 3).close()
    verified = served.verify("quiet", never=True)
    assert verified.outcome == pb.OUTCOME_UNKNOWN
    assert [(each.listener, each.reason, each.exchanges) for each in verified.missing] == [("quiet", "disabled", 3)]
    assert "has dropped 3 exchanges of listener quiet (disabled)" in verified.text
    assert served.verify("quiet", at_least=0).outcome == pb.OUTCOME_HOLDS


# ── Bad input ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "given, code, text",
    [
        (chosen("nobody"), grpc.StatusCode.NOT_FOUND, "nobody"),
        (chosen("callback", rule="nope"), grpc.StatusCode.NOT_FOUND, "nope"),
        (chosen("", rule="echo"), grpc.StatusCode.INVALID_ARGUMENT, "filter.rule: needs `listener`"),
        (chosen("callback", since="x"), grpc.StatusCode.INVALID_ARGUMENT, "filter.since: not a mark of this run"),
        (chosen("callback", since="YWJjIDEyLjU="), grpc.StatusCode.INVALID_ARGUMENT, "not a mark of this run"),
        (chosen("callback", state=99), grpc.StatusCode.INVALID_ARGUMENT, "filter.state"),
        (chosen("callback", match=v1.Match(regex="(")), grpc.StatusCode.INVALID_ARGUMENT, "filter.match.regex"),
        (chosen("callback", match=v1.Match()), grpc.StatusCode.INVALID_ARGUMENT, "filter.match"),
        (chosen("callback", match=v1.Match(expr="request[")), grpc.StatusCode.INVALID_ARGUMENT, "filter.match.expr"),
        (chosen("callback", match=v1.Match(expr="size + 1")), grpc.StatusCode.INVALID_ARGUMENT, "filter.match.expr"),
    ],
)
@pytest.mark.parametrize("method", ["ListExchanges", "WatchExchanges", "WaitForExchanges", "VerifyExchanges"])
def test_filter_that_makes_no_sense_is_rejected(
    served: Watched, method: str, given: pb.ExchangeFilter, code: grpc.StatusCode, text: str
) -> None:
    request = getattr(pb, f"{method}Request")(filter=given)

    def call() -> object:
        answer = getattr(served.stub, method)(request, timeout=20)
        return next(answer) if method == "WatchExchanges" else answer

    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() is code
    assert text in (caught.value.details() or "")


@pytest.mark.parametrize("token", ["?", "eA==", "MS40", "MS4tMS4w"])
def test_page_token_that_is_none_is_rejected(served: Watched, token: str) -> None:
    with pytest.raises(grpc.RpcError, match="page_token: not a token of this server"):
        served.stub.ListExchanges(pb.ListExchangesRequest(page_token=token), timeout=20)


# ── Clearing ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_clearing_removes_the_exchanges_of_one_listener_and_makes_verification_unknown(served: Watched) -> None:
    served.ask("cleared", b"PING\nE\n", b"+PONG\r\nE\n").close()
    mark = served.mark()
    served.ask("cleared", b"E\n", b"E\n").close()
    others = served.find("verified")
    assert served.stub.ClearExchanges(pb.ClearExchangesRequest(listener="cleared"), timeout=20).exchanges == 3
    assert (served.find("cleared"), served.find("verified")) == ([], others)
    assert served.verify("cleared", since=mark, never=True).outcome == pb.OUTCOME_UNKNOWN
    assert served.verify("cleared", since=served.mark(), never=True).outcome == pb.OUTCOME_HOLDS
    recorded, requests = law(served.running, "cleared")
    assert recorded == requests == 3


# ── Watching ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_watch_sends_exchanges_and_ends_of_connections_as_they_come(served: Watched) -> None:
    watch = served.stub.WatchExchanges(pb.WatchExchangesRequest(filter=chosen("callback"), events=True), timeout=30)
    assert next(watch).started
    served.ask("callback", b"QUIT\n", b"+OK\r\n").close()
    exchange, closed = next(watch), next(watch)
    assert (exchange.exchange.request.data, exchange.exchange.reply.data) == (b"QUIT", b"+OK\r\n")
    assert closed.event.closed.reason == "server_close"
    watch.cancel()


def test_watch_sends_a_request_in_progress_and_again_when_it_is_complete(served: Watched) -> None:
    watch = served.stub.WatchExchanges(pb.WatchExchangesRequest(filter=chosen("callback")), timeout=30)
    assert next(watch).started
    with served.connect("callback") as sock:
        sock.sendall(b"HANG\n")
        first = next(watch).exchange
    second = next(watch).exchange
    assert (first.state, second.state) == (pb.EXCHANGE_STATE_IN_PROGRESS, pb.EXCHANGE_STATE_ABANDONED)
    assert first.id == second.id
    watch.cancel()


def test_watch_that_nothing_fulfils_receives_nothing_and_works_on(served: Watched) -> None:
    wanted = chosen("callback", match=equals("E some"))
    watch = served.stub.WatchExchanges(pb.WatchExchangesRequest(filter=wanted), timeout=30)
    assert next(watch).started
    for data, reply in ((b"PING\n", b"+PONG\r\n"), (b"E one\n", b"E one\n"), (b"E some\n", b"E some\n")):
        served.ask("callback", data, reply).close()
    assert next(watch).exchange.request.data == b"E some", "the first that matches is the first received"
    watch.cancel()


# ── The law ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def law(running: RunningServer, listener: str) -> tuple[float, float]:
    """Entries + dropped, and requests."""
    metrics = Metrics.scrape(running.metrics)
    kept = metrics.value("journal_entries", listener=listener)
    return kept + metrics.total("journal_dropped_total", listener=listener), metrics.value(
        "requests_total", listener=listener
    )


def test_entries_and_dropped_are_all_requests_of_every_listener(served: Watched) -> None:
    for listener in ("callback", "coroutine", "six", "verified", "quiet", "small", "broken"):
        recorded, requests = law(served.running, listener)
        assert recorded == requests, listener


LOAD = r"""
journal: {entries: 300}
listeners:
  - name: load
    address: 127.0.0.1:0
    framing: line
    rules:
      - when: PING
        do: [send: "+PONG\r\n"]
      - do: [echo, send: "\n"]
"""


@pytest.mark.parametrize("kill", [False, True])
def test_counts_hold_under_load_with_a_worker_killed_and_a_watcher_that_never_reads(
    start_server: Start, *, kill: bool
) -> None:
    running = start_server(LOAD, "--workers", "2")
    stop = threading.Event()
    answered = [0, 0, 0]

    def talk(which: int) -> None:
        data, reply = ((b"PING\r\n", b"+PONG\r\n"), (b"PING\r\n" * 9, b"+PONG\r\n" * 9), (b"ho\n", b"ho\n"))[which]
        while not stop.is_set():
            try:
                with running.connect("load") as sock:
                    for _ in range(50):
                        say(sock, data, reply)
                        answered[which] += data.count(b"\n")
            except (OSError, AssertionError):
                continue  # the worker was killed

    with grpc.insecure_channel(running.admin) as channel, closing(running.connect("load")):
        stub = JournalServiceStub(channel)
        deaf = stub.WatchExchanges(pb.WatchExchangesRequest(), timeout=60)
        assert next(deaf).started
        threads = [threading.Thread(target=talk, args=(which,)) for which in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(12):
                recorded, requests = law(running, "load")
                assert recorded <= requests
                kept = stub.ListExchanges(pb.ListExchangesRequest(page_size=1000), timeout=20).exchanges
                assert len(kept) <= 450  # 150 of each worker, and of the spare region
                if number == 5 and kill:
                    os.kill(worker_pids(running)[0], signal.SIGKILL)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        eventually(lambda: all(worker_pids(running)), what="both workers")
        recorded, requests = law(running, "load")
        assert recorded == requests >= sum(answered) > 0
        assert kill or requests == sum(answered), "clients of a worker that is killed do not get all replies"
        assert Metrics.scrape(running.metrics).total("journal_dropped_total", listener="load") > 0
        deaf.cancel()


def test_read_token_needs_leave_to_read_the_journal(start_server: Start, tmp_path: Path) -> None:
    for name, letter in (("full", "f"), ("read", "r")):
        path = tmp_path / name
        path.write_text(letter * 40)
        path.chmod(0o600)
    tokens = ("--token-file", str(tmp_path / "full"), "--read-token-file", str(tmp_path / "read"))
    for arguments, allowed in (((), False), (("--read-token-journal",), True)):
        running = start_server(LOAD, *tokens, *arguments)
        with grpc.insecure_channel(running.admin) as channel:
            stub = JournalServiceStub(channel)
            for letter, works in (("f", True), ("r", allowed)):
                metadata = (("authorization", "Bearer " + letter * 40),)
                if works:
                    stub.ListExchanges(pb.ListExchangesRequest(), metadata=metadata, timeout=20)
                    continue
                with pytest.raises(grpc.RpcError, match="--read-token-journal") as caught:
                    stub.ListExchanges(pb.ListExchangesRequest(), metadata=metadata, timeout=20)
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
