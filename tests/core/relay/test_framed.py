"""A relay with rules whose upstream's bytes are framed, without a network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import steps
from answerback.core.actions import Abort, Close, CloseReason, Forward, Send
from answerback.core.delays import Fixed
from answerback.core.faults import Fault, Latency, SlowClose
from answerback.core.framing import Fixed as FixedSize
from answerback.core.framing import Framing, Http, HttpReplies, Idle, Line, RespReplies, UntilEof
from answerback.core.plan import ActivePlan, Event, ListenerPlan, Rule, Tick
from answerback.core.relay import PEER, UPSTREAM, Act, Connect, Finish, FramedIntermediary, Pass
from answerback.core.selection import Rules
from answerback.core.session import Session
from answerback.core.session.forwarding import Forwarding
from answerback.core.session.owed import MAX_OWED, MAX_OWED_BYTES, OwedReplies
from answerback.core.session.script import OUTPUT_AHEAD
from answerback.core.upstream import Upstream
from tests.core.plans import LINE, plan, rule
from tests.core.relay.test_intermediary import DOWN, Driver
from tests.core.session.test_recording import Notes

PONG = rule(Send(b"PONG\n"), when=b"PING")
FORWARD = rule(steps.forward(), when=b"plain")
BOTH = rule(Send(b"<"), steps.forward(waits=True), Send(b">\n"), when=b"both")
LATE = rule(steps.delay_fixed(1.0), steps.forward(), when=b"late")
REPLACE = rule(Send(b"other\n"), when=b"bad", name="replace")
DROP = rule(when=b"gone", name="drop")
SLOW = rule(steps.delay_fixed(1.0), steps.pass_reply(), when=b"slow", name="slow")
END = steps.EndSession(by_reset=False, reason=CloseReason.SERVER_CLOSE)
PUSH = replace(rule(steps.pass_reply(), when=b"push", name="push"), extra=True)


def framed(
    *rules: Rule,
    replies: tuple[Rule, ...] = (REPLACE, DROP, SLOW, PUSH),
    framing: Framing = LINE,
    max_reply_bytes: int = 1000,
    on_forward: bool = False,
    **more: object,
) -> ListenerPlan:
    made = plan(*(rules or (PONG, FORWARD, BOTH, LATE)))
    upstream = Upstream("a", 1, "", 5.0, on_forward=on_forward, framing=framing, max_reply_bytes=max_reply_bytes)
    return replace(made, upstream=upstream, streams=False, on_reply=Rules(replies), **more)  # type: ignore[arg-type]


@dataclass
class FramedDriver(Driver):
    """Performs acts, as a driver does; the upstream's replies are framed."""

    def _intermediary(self) -> FramedIntermediary:
        return FramedIntermediary(ActivePlan(self.plan), self.now, self._context, self._session)

    def _session(self, now: float) -> Session:
        session = super()._session(now)
        upstream = self.plan.upstream
        assert upstream is not None
        assert upstream.framing is not None
        session.forwarding = Forwarding(OwedReplies(upstream.framing))
        return session

    def client(self, data: bytes) -> "FramedDriver":
        assert self.receive(PEER, data)
        return self

    def reply(self, data: bytes) -> "FramedDriver":
        assert self.receive(UPSTREAM, data)
        return self

    def got(self) -> bytes:
        """Return what the client has received since the last call."""
        data, self.sent[PEER] = self.sent[PEER], b""
        return data


def driver(*rules: Rule, **more: object) -> FramedDriver:
    made = FramedDriver(framed(*rules, **more))  # type: ignore[arg-type]
    made.connect()
    return made


def test_local_answer_waits_for_the_replies_owed_before_it() -> None:
    it = driver().client(b"GET a\nGET b\nPING\nGET c\n")
    assert it.sent == [b"", b"GET a\nGET b\n"]
    assert it.relay.waits_for == "reply"
    assert it.reply(b"1\n").got() == b"1\n"
    assert it.reply(b"2\n").got() == b"2\nPONG\n"
    assert it.sent[UPSTREAM] == b"GET a\nGET b\nGET c\n"
    assert it.reply(b"3\n").got() == b"3\n"
    assert it.relay.waits_for == "request"


def test_local_answer_is_at_once_if_nothing_is_owed() -> None:
    assert driver().client(b"PING\nPING\n").got() == b"PONG\nPONG\n"


def test_cached_answer_waits_too() -> None:
    it = driver()
    for _ in range(5):
        assert it.client(b"PING\n").got() == b"PONG\n"
    assert it.client(b"GET a\n").client(b"PING\n").got() == b""
    assert it.reply(b"1\n").got() == b"1\nPONG\n"


def test_steps_behind_forward_wait_for_its_reply() -> None:
    it = driver().client(b"GET a\nboth\nGET b\n")
    assert it.sent == [b"", b"GET a\n"]
    assert it.reply(b"1\n").got() == b"1\n<"
    assert it.sent[UPSTREAM] == b"GET a\nboth\n"
    assert it.reply(b"2\n3").got() == b"2\n>\n"
    assert it.sent[UPSTREAM] == b"GET a\nboth\nGET b\n"
    assert it.reply(b"\n").got() == b"3\n"


def test_steps_behind_a_forward_that_does_not_wait_come_at_once() -> None:
    it = driver(rule(steps.forward(), Send(b"sent\n"), when=b"both")).client(b"both\n")
    assert it.sent == [b"sent\n", b"both\n"]


def test_rule_that_only_forwards_does_not_wait() -> None:
    assert driver().client(b"GET a\nplain\nGET b\n").sent[UPSTREAM] == b"GET a\nplain\nGET b\n"


def test_reply_is_passed_replaced_dropped_or_delayed() -> None:
    it = driver().client(b"1\n2\n3\n4\nPING\n")
    assert it.reply(b"ok\r\nbad\ngone\nslow\nmore\n").got() == b"ok\r\nother\n"
    assert not it.relay.wants_read(UPSTREAM)
    it.wait(1.0)
    assert it.got() == b"slow\nPONG\nmore\n"
    assert it.account.events == [REPLACE.cell, DROP.cell, SLOW.cell]


def test_reply_that_is_not_complete_is_not_passed_on() -> None:
    it = driver().client(b"GET a\n")
    assert it.reply(b"o").reply(b"k").got() == b""
    assert it.reply(b"\n").got() == b"ok\n"


def test_extra_reply_settles_nothing() -> None:
    it = driver().client(b"GET a\nPING\n")
    assert it.reply(b"push\n").got() == b"push\n"
    assert it.reply(b"1\n").got() == b"1\nPONG\n"


def test_reply_that_none_was_owed_is_passed_on() -> None:
    it = driver()
    assert it.reply(b"220 ready\n").got() == b"220 ready\n"
    assert it.client(b"GET a\nPING\n").reply(b"1\n").got() == b"1\nPONG\n"


def test_rules_on_replies_see_the_request_and_its_number() -> None:
    seen: list[tuple[bytes, bytes, int]] = []

    def see(context: object) -> None:
        seen.append((context.request, context.answered, context.number))  # type: ignore[attr-defined]

    it = driver(replies=(rule(see, steps.pass_reply(), when=None),))
    it.client(b"GET a\nPING\n").reply(b"hello\r\n").reply(b"unasked\n")
    assert seen == [(b"hello", b"GET a", 1), (b"unasked", b"", 0)]
    assert it.got() == b"hello\r\nPONG\nunasked\n"


def test_script_that_waits_sees_its_own_request_behind_a_reply() -> None:
    numbers: list[int] = []
    own = rule(lambda context: numbers.append(context.number), steps.echo(), Send(b"\n"), when=b"own")
    it = driver(own, replies=(rule(steps.pass_reply(), when=b"1"),))
    assert it.client(b"GET a\nown\n").reply(b"1\n").got() == b"1\nown\n"
    assert numbers == [2]


def test_upstream_is_not_read_while_a_script_is_in_progress() -> None:
    """What it sends would come between the parts of a local answer."""
    it = driver(rule(Send(b"a"), steps.delay_fixed(1.0), Send(b"b\n"), when=b"slow")).client(b"slow\n")
    assert not it.relay.wants_read(UPSTREAM)
    it.wait(1.0)
    assert it.relay.wants_read(UPSTREAM)
    assert it.reply(b"1\n").got() == b"ab\n1\n"


def test_beginning_of_a_reply_is_passed_on_where_the_rest_is_a_stream() -> None:
    it = driver().reply(b"mo")
    it.eof(PEER)
    assert it.got() == b"mo"
    assert it.reply(b"re").got() == b"re"


def test_connection_keeps_its_plan_where_replies_are_framed_otherwise() -> None:
    it = driver()
    active = it.relay._active
    new = rule(Send(b"new\n"), when=b"PING")
    active.plan = framed(new)
    assert it.client(b"PING\n").got() == b"new\n"
    active.plan = framed(framing=FixedSize(2))
    assert it.client(b"PING\nGET a\n").reply(b"123").got() == b"new\n"
    assert it.reply(b"\n").got() == b"123\n"


def test_state_that_a_reply_sets_is_for_the_next_request() -> None:
    known = replace(PONG, in_states=("known",))
    it = driver(known, replies=(rule(steps.state("known"), steps.pass_reply(), when=b"welcome"),))
    it.client(b"PING\n").reply(b"welcome\n")
    assert it.sent == [b"welcome\n", b"PING\n"]
    it.client(b"PING\n")
    assert it.got() == b"welcome\nPONG\n"


def test_owed_replies_are_bounded_by_number() -> None:
    it = driver().client(b"a\n" * (MAX_OWED + 10))
    assert it.sent[UPSTREAM] == b"a\n" * MAX_OWED
    it.reply(b"1\n" * 3)
    assert it.sent[UPSTREAM] == b"a\n" * (MAX_OWED + 3)
    it.reply(b"1\n" * MAX_OWED)
    assert it.sent[UPSTREAM] == b"a\n" * (MAX_OWED + 10)
    assert it.reply(b"1\n" * 7).got() == b"1\n" * (MAX_OWED + 10)


def test_owed_replies_are_bounded_by_bytes() -> None:
    line = b"x" * 10_000 + b"\n"
    it = driver().client(line * 20)
    assert it.sent[UPSTREAM] == line * (MAX_OWED_BYTES // 10_000 + 1)
    for _ in range(40):
        it.wait(1.0)
        it.receive(UPSTREAM, b"1\n")
    assert it.sent[UPSTREAM] == line * 20


def test_client_is_not_read_without_end_while_replies_are_owed() -> None:
    it = driver()
    size = 0
    while it.receive(PEER, b"a\n" * 1000):
        size += 2000
    assert size <= 2 * MAX_OWED + (64 << 10) + 2000


def test_slow_upstream_is_read_while_it_takes_no_requests() -> None:
    it = driver()
    it.slow[UPSTREAM] = True
    it.client(b"GET a\n")
    assert it.relay.wants_read(UPSTREAM)
    assert it.reply(b"0\n").got() == b"0\n"


def test_slow_client_stops_the_upstream() -> None:
    it = driver().client(b"a\n" * 64)
    it.slow[PEER] = True
    it.reply(b"1\n" * 3)
    assert not it.relay.wants_read(UPSTREAM)
    it.hurry(PEER)
    assert it.got() == b"1\n" * 3
    assert it.relay.wants_read(UPSTREAM)


def passed(acts: Sequence[Act]) -> bytes:
    return b"".join(act.data for act in acts if isinstance(act, Pass))


def test_replies_have_turns() -> None:
    """A turn is used up by 64 KiB of the shortest replies; the rest waits for the next."""
    it = driver()
    clock = [0.0]

    def tick() -> float:
        clock[0] += 0.0001
        return it.now + clock[0]

    it.somewhere.clock = tick
    data = b"".join(b"%d\n" % (number % 10) for number in range(2500))
    acts = it.relay.receive_data(UPSTREAM, data, it.now)
    assert not it.relay.wants_read(UPSTREAM)
    assert len(passed(acts)) < 100
    assert not it.relay.next_acts(it.now)
    turns = 0
    while it.relay.wants_turn:
        clock[0] = 0.0
        turns += 1
        acts = [*acts, *it.relay.take_turn(it.now)]
    assert passed(acts) == data
    assert turns > 25


@pytest.mark.parametrize("replies", [(), (REPLACE,)])
def test_turn_of_replies_begins_when_they_come(replies: tuple[Rule, ...]) -> None:
    it = driver(replies=replies)
    it.wait(10.0)
    it.somewhere.clock = lambda: it.now + 0.0005
    assert passed(it.relay.receive_data(UPSTREAM, b"1\n2\n3\n", it.now)) == b"1\n2\n3\n"
    assert not it.relay.wants_turn


def test_replies_that_come_while_a_turn_is_due_wait_for_it() -> None:
    it = driver()
    it.somewhere.clock = lambda: it.now + 0.001
    assert passed(it.relay.receive_data(UPSTREAM, b"1\n", it.now)) == b"1\n"
    it.somewhere.clock = lambda: it.now
    assert it.relay.wants_turn
    assert it.relay.wants_read(UPSTREAM), "nothing waits"
    assert not it.relay.receive_data(UPSTREAM, b"2\n", it.now)
    assert not it.relay.next_acts(it.now)
    assert not it.relay.wants_read(UPSTREAM)
    assert passed(it.relay.take_turn(it.now)) == b"2\n"
    assert not it.relay.wants_turn


def test_replies_beyond_what_the_kernel_is_given_at_once_wait_for_a_turn_if_that_took_long() -> None:
    data = b"x" * (OUTPUT_AHEAD // 2 - 1) + b"\n"
    for late, goes_on in ((0.0009, True), (0.001, False)):
        it = driver(replies=(), max_reply_bytes=len(data))
        assert passed(it.relay.receive_data(UPSTREAM, data * 3, 0.0)) == data * 2
        assert passed(it.relay.next_acts(late)) == data * goes_on
        assert it.relay.wants_turn is not goes_on
        assert passed(it.relay.take_turn(late)) == data * (not goes_on)


@pytest.mark.parametrize("late", [False, True])
def test_reply_that_is_parsed_in_parts_takes_turns(late: bool) -> None:
    it = http().client(b"GET / HTTP/1.1\r\n\r\n")
    it.somewhere.clock = lambda: it.now + 0.001 * late
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 600 + b"0\r\n\r\n"
    acts, turns = it.relay.receive_data(UPSTREAM, reply, it.now), 0
    while it.relay.wants_turn:
        turns += 1
        acts = [*acts, *it.relay.take_turn(it.now)]
    assert (passed(acts), turns > 1) == (reply, late)


def test_fin_of_the_client_goes_upstream_and_its_rule_acts_behind_what_is_owed() -> None:
    it = driver(on_eof=Rules([rule(Send(b"bye\n"), when=None)]))
    it.client(b"GET a\nGET b\n").acts.clear()
    it.eof(PEER)
    assert it.acts == [Finish(UPSTREAM)]
    assert it.reply(b"1\n").got() == b"1\n"
    assert it.reply(b"2\n").got() == b"2\nbye\n"
    it.eof(UPSTREAM)
    assert it.acts == [Finish(UPSTREAM), Finish(PEER), Close(CloseReason.PEER_EOF)]


def test_fin_of_the_client_behind_a_script_that_waits_goes_upstream_behind_its_request() -> None:
    it = driver().client(b"GET a\nPING\nGET b\n")
    it.acts.clear()
    it.eof(PEER)
    assert it.acts == []
    assert it.reply(b"1\n").got() == b"1\nPONG\n"
    assert it.sent[UPSTREAM] == b"GET a\nGET b\n"
    assert it.acts == [Finish(UPSTREAM)]
    assert it.reply(b"2\n").got() == b"2\n"


def test_fin_of_the_upstream_ends_the_wait_for_what_is_owed() -> None:
    it = driver(on_eof=Rules([rule(Send(b"bye\n"), when=None)])).client(b"GET a\n")
    it.eof(PEER)
    it.eof(UPSTREAM)
    assert it.got() == b"bye\n"
    assert it.acts[-1] == Close(CloseReason.PEER_EOF)


def test_fin_of_the_upstream_drops_answers_behind_what_is_owed() -> None:
    it = driver().client(b"GET a\nPING\n")
    it.acts.clear()
    it.eof(UPSTREAM)
    assert it.got() == b""
    assert it.acts == [Finish(PEER)]
    it.eof(PEER)
    assert it.acts[1:] == [Finish(UPSTREAM), Close(CloseReason.UPSTREAM_EOF)]


def test_fin_of_the_upstream_is_passed_on_behind_a_reply_that_waits() -> None:
    it = driver().client(b"GET a\n")
    it.acts.clear()
    it.reply(b"slow\n")
    it.eof(UPSTREAM)
    assert it.acts == []
    it.wait(1.0)
    assert (it.got(), it.acts) == (b"slow\n", [Finish(PEER)])


@pytest.mark.parametrize(
    "framing, data, reason",
    [
        (Line(), b"half", CloseReason.UPSTREAM_MALFORMED),
        (RespReplies(), b"*2\r\n:1\r\n", CloseReason.UPSTREAM_MALFORMED),
    ],
)
def test_fin_in_the_middle_of_a_reply_closes_in_order(framing: Framing, data: bytes, reason: CloseReason) -> None:
    it = driver(framing=framing).client(b"GET a\nGET b\n").reply(data)
    it.acts.clear()
    it.eof(UPSTREAM)
    assert it.got() == b""
    assert it.acts == [Finish(PEER), Finish(UPSTREAM)]
    it.eof(PEER)
    assert it.acts[-1] == Close(reason)


@pytest.mark.parametrize(
    "framing, data, reason",
    [
        (RespReplies(), b"+OK\r\nx", CloseReason.UPSTREAM_MALFORMED),
        (RespReplies(), b"+OK\r\n$1001\r\n", CloseReason.UPSTREAM_TOO_LARGE),
        (Line(), b"+OK\r\n" + b"x" * 1001, CloseReason.UPSTREAM_TOO_LARGE),
        (Line(), b"+OK\r\n" + b"x" * 1001 + b"\n", CloseReason.UPSTREAM_TOO_LARGE),
        (UntilEof(), b"x" * 1001, CloseReason.UPSTREAM_TOO_LARGE),
    ],
)
def test_reply_that_cannot_be_framed_closes_in_order(framing: Framing, data: bytes, reason: CloseReason) -> None:
    it = driver(framing=framing).client(b"GET a\nGET b\n")
    it.acts.clear()
    it.reply(data)
    assert it.got() == (b"+OK\r\n" if data[:1] == b"+" else b"")
    assert it.acts == [Finish(PEER), Finish(UPSTREAM)]
    it.eof(UPSTREAM)
    it.eof(PEER)
    assert it.acts[-1] == Close(reason)


def test_fin_completes_a_reply_that_ends_with_it() -> None:
    it = driver(framing=UntilEof()).client(b"GET a\n")
    it.reply(b"one\n").reply(b"two")
    it.eof(UPSTREAM)
    assert it.got() == b"one\ntwo"
    assert it.acts[-1] == Finish(PEER)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def test_http_replies_depend_on_the_requests_that_they_answer() -> None:
    """The reply to HEAD has no body, and an interim one settles nothing without any rule."""
    own = rule(Send(b"own"), when=b"GET /own HTTP/1.1\r\n\r\n")
    it = driver(own, replies=(), framing=HttpReplies())
    it.relay._active.plan = replace(it.plan, framing=Http())
    it = FramedDriver(it.relay._active.plan)
    it.connect()
    it.client(b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /own HTTP/1.1\r\n\r\n")
    it.reply(b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD)
    assert it.got() == b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD
    assert it.reply(HEAD + b"o").got() == b""
    assert it.reply(b"k").got() == HEAD + b"okown"


UPGRADE = b"GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
CONNECT = b"CONNECT a:443 HTTP/1.1\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
SWITCHES = pytest.mark.parametrize("request_, reply", [(UPGRADE, SWITCHING), (CONNECT, ESTABLISHED)])
CLIENTS, SERVERS = b"\x81\r\nContent-Length: -\r\n\r\n", b"\x81\x05\r\n\r\n"  # malformed as HTTP


def http(
    *rules: Rule, replies: tuple[Rule, ...] = (), relay_faults: tuple[tuple[Fault, ...], ...] = ((), ())
) -> FramedDriver:
    made = framed(*rules, replies=replies, framing=HttpReplies(), relay_faults=relay_faults, max_reply_bytes=8 << 20)
    it = FramedDriver(replace(made, framing=Http()))
    it.connect()
    return it


@SWITCHES
@pytest.mark.parametrize("late", [False, True])
def test_reply_that_ends_http_makes_a_stream_of_both_directions(request_: bytes, reply: bytes, late: bool) -> None:
    faults = ((Fault("late", 0, Latency(Fixed(0.25))),),) * 2 if late else ((), ())
    it = http(relay_faults=faults).client(b"GET / HTTP/1.1\r\n\r\n" + request_)
    it.wait(0.25)
    it.reply(HEAD + b"ok" + reply + SERVERS).wait(0.25)
    assert it.got() == HEAD + b"ok" + reply + SERVERS
    assert it.relay.waits_for == "data"
    it.client(CLIENTS).reply(SERVERS).wait(0.25)
    assert (it.got(), it.sent[UPSTREAM]) == (SERVERS, b"GET / HTTP/1.1\r\n\r\n" + request_ + CLIENTS)
    it.eof(UPSTREAM)
    it.wait(0.25)
    assert it.acts[-1] == Finish(PEER)
    it.client(CLIENTS).wait(0.25)
    assert it.sent[UPSTREAM].endswith(CLIENTS * 2)
    it.eof(PEER)
    it.wait(0.25)
    assert it.acts[-2:] == [Finish(UPSTREAM), Close(CloseReason.UPSTREAM_EOF)]


@SWITCHES
@pytest.mark.parametrize("forwards", [False, True])
def test_bytes_behind_a_request_that_may_end_http_wait_for_its_reply(
    request_: bytes, reply: bytes, forwards: bool
) -> None:
    it = http(*([rule(steps.forward())] if forwards else ())).client(request_ + CLIENTS)
    assert it.sent[UPSTREAM] == request_
    assert it.reply(reply).got() == reply
    assert it.sent[UPSTREAM] == request_ + CLIENTS
    assert it.account.durations == [0.0]


PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("replies", [(), (rule(steps.pass_reply()),)])
@pytest.mark.parametrize("requests", [PLAIN, PLAIN + UPGRADE, b""])
def test_101_that_no_request_has_asked_for_is_malformed(requests: bytes, replies: tuple[Rule, ...]) -> None:
    """What is pipelined behind such a request is in the upstream's hands already, as HTTP."""
    it = http(replies=replies)
    if requests:
        it.client(requests)
    assert it.reply(SWITCHING + SERVERS).got() == b""
    it.eof(PEER)
    it.eof(UPSTREAM)
    assert it.acts[-1] == Close(CloseReason.UPSTREAM_MALFORMED)


def test_replies_before_a_101_that_no_request_has_asked_for_are_passed_on() -> None:
    it = http().client(PLAIN * 2).reply(HEAD + b"ok" + SWITCHING + SERVERS)
    assert it.got() == HEAD + b"ok"
    assert it.acts == [Finish(PEER), Finish(UPSTREAM)]


class Tunnelled(Line):
    """A reply to `tunnel` may end the framing."""

    __slots__ = ()

    def may_switch(self, request: bytes) -> bool:
        return request == b"tunnel"


def test_any_framing_may_let_a_request_wait_for_what_its_reply_makes_of_the_rest() -> None:
    it = driver(framing=Tunnelled()).client(b"GET a\ntunnel\nGET b\n")
    assert it.sent[UPSTREAM] == b"GET a\ntunnel\n"
    for framing in (LINE, Idle(1.0), RespReplies()):
        it = driver(framing=framing).client(CONNECT + UPGRADE)
        assert it.sent[UPSTREAM] == CONNECT + UPGRADE


@pytest.mark.parametrize("request_", [UPGRADE, CONNECT])
def test_bytes_behind_a_request_that_did_not_end_http_are_requests(request_: bytes) -> None:
    it = http(rule(Send(b"own"), when=b"GET /own HTTP/1.1\r\n\r\n")).client(request_ + b"GET /own HTTP/1.1\r\n\r\n")
    refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    assert it.reply(refused).got() == refused + b"own"
    assert it.client(CLIENTS).acts[-2:] == [Finish(PEER), Finish(UPSTREAM)], "it is malformed"


@SWITCHES
def test_stream_begins_behind_what_rules_do_for_the_reply(request_: bytes, reply: bytes) -> None:
    drop, slow = rule(), rule(steps.delay_fixed(1.0), steps.pass_reply())
    around = rule(steps.forward(waits=True), steps.delay_fixed(1.0))
    for rules, replies, seconds, expected in (
        ((), (drop,), 0.0, b""),
        ((), (slow,), 1.0, reply),
        ((around,), (), 1.0, reply),
        ((around,), (slow,), 2.0, reply),
    ):
        it = http(*rules, replies=replies).client(request_)
        it.client(CLIENTS).reply(reply + SERVERS).wait(seconds)
        assert (it.got(), it.sent[UPSTREAM]) == (expected + SERVERS, request_ + CLIENTS)
        assert it.account.durations == [seconds]


def test_stream_begins_once_a_slow_client_has_the_reply() -> None:
    it = http().client(UPGRADE)
    it.slow = [True, True]
    it.client(CLIENTS).reply(SWITCHING + SERVERS)
    assert (it.unsent, it.relay.wants_read(UPSTREAM)) == ([SWITCHING, b""], False)
    assert not it.relay.receive_data(UPSTREAM, SERVERS, it.now), "a read that was on its way"
    it.hurry(PEER)
    assert (it.got(), it.unsent[UPSTREAM]) == (SWITCHING + SERVERS * 2, CLIENTS)


def test_fin_of_the_upstream_is_passed_on_behind_a_stream_that_faults_hold() -> None:
    it = http(relay_faults=((), (Fault("late", 0, Latency(Fixed(0.25))),))).client(UPGRADE)
    long = SWITCHING[:-2] + b"X: " + b"x" * (5 << 20) + b"\r\n\r\n"  # more than a fault holds at once
    it.acts.clear()
    it.reply(long + SERVERS).eof(UPSTREAM)
    it.wait(1.0)
    assert it.got() == long + SERVERS
    assert it.acts == [Finish(PEER)]


def test_fault_delays_the_fin_behind_a_stream() -> None:
    it = http(relay_faults=((), (Fault("slow", 0, SlowClose(Fixed(1.0))),))).client(UPGRADE)
    it.slow[PEER] = True
    it.reply(SWITCHING).acts.clear()
    it.eof(UPSTREAM)
    it.hurry(PEER)
    assert (it.got(), it.acts) == (SWITCHING, [])
    it.wait(1.0)
    assert it.acts == [Finish(PEER)]


def test_stream_begins_although_the_upstream_takes_nothing() -> None:
    it = http()
    it.slow[UPSTREAM] = True
    it.client(UPGRADE).reply(SWITCHING + SERVERS)
    assert it.got() == SWITCHING + SERVERS
    assert it.reply(SERVERS).got() == SERVERS


def test_no_turn_is_wanted_while_the_client_takes_nothing() -> None:
    it = driver()
    it.somewhere.clock = lambda: it.now + 0.001
    assert passed(it.relay.receive_data(UPSTREAM, b"1\n2\n", it.now)) == b"1\n"
    it.relay.peer_paused(it.now)
    it.relay.writing_paused(PEER)
    assert not it.relay.wants_turn
    it.perform(it.relay.writing_resumed(PEER, it.now))
    assert it.got() == b"2\n"


def test_client_that_has_sent_fin_gets_the_stream() -> None:
    it = http().client(UPGRADE)
    it.eof(PEER)
    assert it.reply(SWITCHING + SERVERS).got() == SWITCHING + SERVERS
    assert it.reply(SERVERS).got() == SERVERS
    it.eof(UPSTREAM)
    assert it.acts[-3:] == [Finish(UPSTREAM), Finish(PEER), Close(CloseReason.PEER_EOF)]


def test_body_without_a_length_ends_with_the_upstream() -> None:
    it = driver(framing=HttpReplies()).client(b"GET a\n").reply(b"HTTP/1.0 200 OK\r\n\r\nab").reply(b"c")
    assert it.got() == b""
    it.eof(UPSTREAM)
    assert it.got() == b"HTTP/1.0 200 OK\r\n\r\nabc"
    assert it.acts[-1] == Finish(PEER)


def test_silence_completes_a_reply() -> None:
    it = driver(framing=Idle(0.5)).client(b"GET a\nPING\n").reply(b"o")
    it.wait(0.4)
    it.reply(b"k")
    it.wait(0.4)
    assert it.got() == b""
    it.wait(0.2)
    assert it.got() == b"okPONG\n"


def test_ticks_come_between_replies() -> None:
    beat = Tick(1.0, Rules([rule(Send(b"beat\n"), when=None)]))
    it = driver(ticks=(beat,)).client(b"GET a\n").reply(b"o")
    it.wait(1.0)
    it.reply(b"k\n")
    assert it.got() == b"beat\nok\n"


def test_script_that_waits_for_replies_holds_ticks_up() -> None:
    beat = Tick(1.0, Rules([rule(Send(b"beat\n"), when=None)]))
    it = driver(ticks=(beat,)).client(b"GET a\nPING\n")
    it.wait(2.5)
    assert it.got() == b""
    assert it.reply(b"1\n").got() == b"1\nPONG\nbeat\n"


@pytest.mark.parametrize("data", [b"GET a\n", b"GET a\nPING\n"])
def test_upstream_that_does_not_reply_is_idle(data: bytes) -> None:
    it = driver().client(data)
    it.wait(299)
    assert Finish(PEER) not in it.acts
    it.wait(2)
    assert Finish(PEER) in it.acts


def test_idle_rule_acts_while_a_script_waits_for_replies() -> None:
    still = rule(Send(b"still there?\n"), when=None)
    it = driver(on_idle=Rules([still]), on_idle_in_script=Rules([still])).client(b"GET a\nPING\n")
    it.wait(301)
    assert it.got() == b"still there?\n"
    assert it.reply(b"1\n").got() == b"1\nPONG\n"


def test_drain_waits_for_what_is_owed() -> None:
    it = driver(on_drain=Rules([rule(Send(b"bye\n"), when=None)])).client(b"GET a\nPING\n")
    it.acts.clear()
    it.perform(it.relay.drain(it.now))
    assert it.acts == []
    it.reply(b"1\n")
    assert it.got() == b"1\nPONG\nbye\n"
    assert it.acts == [Finish(PEER), Finish(UPSTREAM)]


def test_drain_is_at_once_if_nothing_is_owed() -> None:
    it = driver()
    it.acts.clear()
    it.perform(it.relay.drain(it.now))
    assert it.acts == [Finish(PEER), Finish(UPSTREAM)]


def test_failed_connection_settles_what_was_to_be_forwarded() -> None:
    """The script that waits behind it has forwarded nothing, and goes on."""
    it = FramedDriver(framed(on_forward=True, on_upstream_down=Rules([DOWN])))
    it.receive(PEER, b"GET a\nPING\n")
    it.perform(it.relay.not_connected("ECONNREFUSED", it.now))
    assert it.got() == b"down\nPONG\n"


def test_client_that_has_left_is_closed_when_its_request_cannot_be_forwarded() -> None:
    it = FramedDriver(framed(on_forward=True, on_upstream_down=Rules([DOWN])))
    it.receive(PEER, b"GET a\n")
    it.eof(PEER)
    it.perform(it.relay.not_connected("ECONNREFUSED", it.now))
    assert it.got() == b"down\n"
    assert it.acts[-1] == Close(CloseReason.PEER_EOF)


def test_failed_connection_drops_the_script_that_forwards() -> None:
    it = FramedDriver(framed(on_forward=True, on_upstream_down=Rules([DOWN])))
    it.receive(PEER, b"both\nPING\n")
    it.perform(it.relay.not_connected("ECONNREFUSED", it.now))
    assert it.got() == b"<down\nPONG\n"


@pytest.mark.parametrize("last", [steps.close(), steps.reset()])
def test_rule_on_replies_ends_the_connection(last: steps.Step) -> None:
    it = driver(replies=(rule(Send(b"no\n"), last, when=b"bad"),)).client(b"GET a\nPING\n")
    it.acts.clear()
    it.reply(b"bad\nmore\n")
    assert it.got() == b"no\n"
    by_reset = last == steps.reset()
    assert it.acts == ([Abort(CloseReason.SERVER_RESET)] if by_reset else [Finish(PEER), Finish(UPSTREAM)])


def test_faults_act_on_each_reply() -> None:
    """`skip` and `times` count replies and local answers, however they came."""
    fault = Fault("late", 0, Latency(Fixed(1.0)), skip=1, times=1)
    it = driver(relay_faults=((), (fault,)), replies=()).client(b"a\nb\nc\n").reply(b"1\n2\n3\n")
    assert it.got() == b"1\n"
    it.wait(1.0)
    assert it.got() == b"2\n3\n"


def test_fault_delays_the_fin_of_the_upstream() -> None:
    it = driver(relay_faults=((), (Fault("slow", 0, SlowClose(Fixed(1.0))),))).client(b"GET a\n").reply(b"1\n")
    it.acts.clear()
    it.eof(UPSTREAM)
    assert (it.got(), it.acts) == (b"1\n", [])
    it.wait(1.0)
    assert it.acts == [Finish(PEER)]


def test_more_than_one_batch_of_replies_is_passed_on_at_once() -> None:
    it = driver(replies=())
    it.client(b"a\n" * 100).reply(b"1\n" * 100)
    assert it.got() == b"1\n" * 100
    assert it.client(b"PING\n").got() == b"PONG\n"


def noted(*rules: Rule, **more: object) -> tuple[FramedDriver, Notes]:
    it = driver(*rules, **more)
    assert it.relay.session is not None
    notes = it.relay.session.recorder = Notes()
    return it, notes


def test_reply_is_recorded_with_its_request_and_the_upstreams_time() -> None:
    it, notes = noted()
    it.client(b"GET a\n")
    assert notes.take() == [("matched", b"GET a", None, 1, 0.0), ("forwarded", True), ("played",)]
    it.wait(0.25)
    it.reply(b"bad\n")
    assert notes.take() == [("replied", 0.25), ("played", Send(b"other\n")), ("flushed", 0.25)]


def test_time_of_the_upstream_ends_when_it_has_sent_the_reply() -> None:
    """The next reply has come while the one before is delayed."""
    it, notes = noted()
    it.client(b"GET a\nGET b\n").reply(b"slow\nok\n")
    it.wait(1.0)
    assert [note for note in notes.take() if note[0] == "replied"] == [("replied", 0.0), ("replied", 0.0)]


def test_steps_around_forward_are_recorded_around_the_reply() -> None:
    it, notes = noted()
    it.client(b"both\n").reply(b"ok\n")
    assert notes.take() == [
        ("matched", b"both", "rule", 1, 0.0),
        ("forwarded", True),
        ("suspended", Send(b"<"), Forward(b"both\n")),
        ("interrupted",),
        ("replied", 0.0),
        ("played", Send(b"ok\n")),
        ("continued",),
        ("played", Send(b">\n")),
        ("flushed", 0.0),
    ]


def test_steps_around_forward_are_recorded_so_without_rules_on_replies() -> None:
    it, notes = noted(replies=())
    it.client(b"both\n").reply(b"ok\nmore\n")
    assert [note[0] for note in notes.take() if note[0] != "flushed"][3:] == [
        "interrupted",
        "replied",
        "played",
        "continued",
        "played",
    ]
    assert it.got() == b"<ok\n>\nmore\n"


def test_each_of_several_replies_is_recorded_without_rules_on_replies() -> None:
    it, notes = noted(replies=())
    it.client(b"GET a\nGET b\n").reply(b"1\n2\n")
    assert [note for note in notes.take() if note[0] == "replied"] == [("replied", 0.0)] * 2


def test_rule_on_what_answers_no_request_is_recorded_as_an_event() -> None:
    it, notes = noted()
    it.reply(b"push\n")
    assert notes.take() == [("event", Event.REPLY, "push", 0.0), ("played", Send(b"push\n"))]


def test_what_an_upstream_owes_at_its_end_is_recorded_as_unanswered() -> None:
    it, notes = noted()
    it.client(b"GET a\n")
    notes.take()
    it.eof(UPSTREAM)
    assert notes.take() == [("unanswered", 0.0)]


def test_duration_of_a_request_ends_with_the_reply_to_it() -> None:
    it = driver().client(b"GET a\n")
    it.wait(0.25)
    it.client(b"GET b\nPING\n")
    assert it.account.durations == []
    it.wait(0.25)
    assert it.reply(b"1\npush\n").account.durations == [0.5]
    it.wait(0.25)
    assert it.reply(b"2\n").account.durations == [0.5, 0.5, 0.5]
    assert it.client(b"PING\n").account.durations == [0.5, 0.5, 0.5, 0.0]


def test_duration_ends_once_the_client_has_the_whole_reply() -> None:
    it, notes = noted()
    it.client(b"GET a\nGET b\n")
    it.slow = [True, True]
    it.client(b"GET c\n")
    it.reply(b"1\n").wait(1.0)
    assert it.account.durations == []
    notes.take()
    it.hurry(PEER)
    assert it.account.durations == [1.0], "the upstream still takes nothing"
    assert notes.take() == [("flushed", 1.0)]
    assert it.reply(b"2\n").account.durations == [1.0, 1.0]


def test_duration_ends_with_the_last_step_of_the_request_and_of_its_reply() -> None:
    it = driver(BOTH).client(b"both\nGET a\n").reply(b"slow\n")
    it.wait(0.75)
    assert (it.got(), it.account.durations) == (b"<", [])
    it.wait(0.25)
    assert (it.got(), it.account.durations) == (b"slow\n>\n", [1.0])
    it.reply(b"slow\n").wait(0.5)
    assert it.account.durations == [1.0]
    it.wait(0.5)
    assert (it.got(), it.account.durations) == (b"slow\n", [1.0, 1.0])


@pytest.mark.parametrize("replies", [(), (REPLACE,)])
def test_request_whose_script_waits_is_not_answered_by_the_reply_alone(replies: tuple[Rule, ...]) -> None:
    then_late = rule(steps.forward(waits=True), steps.delay_fixed(1.0), Send(b">\n"), when=b"both")
    it = driver(then_late, replies=replies).client(b"both\n").reply(b"ok\n")
    assert (it.got(), it.account.durations) == (b"ok\n", [])
    it.wait(1.0)
    assert (it.got(), it.account.durations) == (b">\n", [1.0])


def test_duration_is_without_the_time_that_faults_of_the_relay_hold_bytes() -> None:
    late = (Fault("late", 0, Latency(Fixed(0.25))),)
    it = driver(relay_faults=(late, late)).client(b"GET a\n")
    it.wait(0.5)
    it.reply(b"1\n").wait(0.5)
    assert (it.got(), it.account.durations) == (b"1\n", [0.25])


def test_request_that_the_upstream_leaves_unanswered_has_no_duration() -> None:
    it = driver().client(b"GET a\n")
    it.eof(UPSTREAM)
    assert it.account.durations == []


def test_request_that_closes_has_a_duration_and_is_recorded() -> None:
    it, notes = noted(rule(Send(b"bye\n"), END, when=b"QUIT"))
    it.client(b"GET a\nQUIT\n").wait(0.5)
    it.reply(b"1\n")
    assert (it.got(), it.account.durations) == (b"1\nbye\n", [0.5, 0.5])
    assert notes.take()[-1] == ("flushed", 0.5)


class Exchange:
    """A client that asks, and an upstream that answers; each says and hears what it likes at a time."""

    def __init__(self, seed: int, *, on_forward: bool, late: bool) -> None:
        self.chance = chance = Random(seed)
        self.lines = [
            chance.choice((b"PING", b"plain", b"both", b"late", b"GET")) for _ in range(chance.randint(0, 200))
        ]
        faults = ((Fault("late", 0, Latency(Fixed(0.25))),),) * 2 if late else ((), ())
        self.it = FramedDriver(framed(on_forward=on_forward, relay_faults=faults))
        self.said = [b"".join(line + b"\r\n" for line in self.lines), b""]
        self.at = [0, 0]
        self.closed = [False, False]
        self.connected = False
        self.outcome: list[bytes] = []
        """What the upstream has answered, without pushes."""
        self.pushes = 0

    def step(self) -> None:
        """Do something at one side, and let time pass."""
        it, chance = self.it, self.chance
        if Connect() in it.acts and not self.connected:
            self.connected = True
            it.connect()
        side = chance.choice((PEER, UPSTREAM))
        it.slow[side] = chance.random() < 0.3
        if not it.slow[side]:
            it.hurry(side)
        self._answer()
        if side == PEER or self.connected:
            self._say(side)
        it.wait(chance.choice((0.0, 0.1, 1.0)))

    def _answer(self) -> None:
        """Let the upstream answer what it has been asked."""
        while len(self.outcome) < self.it.sent[UPSTREAM].count(b"\r\n"):
            kind = self.chance.choice((b"ok", b"bad", b"gone", b"slow", b"push"))
            self.said[UPSTREAM] += kind + b"\r\n"
            if kind == b"push":
                self.pushes += 1
            else:
                self.outcome.append(kind)

    def _say(self, side: int) -> None:
        it, at, said = self.it, self.at[side], self.said[side]
        piece = said[at : at + self.chance.choice((1, 5, 50, 500))]
        if piece and it.receive(side, piece):
            self.at[side] += len(piece)
        self._answer()
        ends = side == PEER or Finish(UPSTREAM) in it.acts
        if ends and self.at[side] == len(self.said[side]) and not self.closed[side] and it.relay.wants_read(side):
            self.closed[side] = True
            it.eof(side)

    @property
    def expected(self) -> bytes:
        """What the client is to receive, without pushes."""
        shown = {b"ok": b"ok\r\n", b"bad": b"other\n", b"gone": b"", b"slow": b"slow\r\n"}
        answers = iter(self.outcome)
        return b"".join(
            b"PONG\n"
            if line == b"PING"
            else b"<" * (line == b"both") + shown[next(answers)] + b">\n" * (line == b"both")
            for line in self.lines
        )


@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_any_cutting_and_slowness_keeps_the_order(seed: int, on_forward: bool, late: bool) -> None:
    """Each request has its answer in its place, given here or by the upstream; what none asked for is between."""
    exchange = Exchange(seed, on_forward=on_forward, late=late)
    it = exchange.it
    for _ in range(6000):
        exchange.step()
        if it.relay.over:
            break
    assert it.relay.over
    assert it.sent[UPSTREAM] == b"".join(line + b"\r\n" for line in exchange.lines if line != b"PING")
    assert it.sent[PEER].replace(b"push\r\n", b"") == exchange.expected
    assert it.sent[PEER].count(b"push\r\n") == exchange.pushes
    assert len(it.account.durations) == len(exchange.lines)
