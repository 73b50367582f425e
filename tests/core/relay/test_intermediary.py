"""A relay with rules, without a network."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import steps
from answerback.core.actions import Abort, Close, CloseReason, Send
from answerback.core.context import RequestContext
from answerback.core.delays import Fixed
from answerback.core.faults import Fault, Latency
from answerback.core.plan import ActivePlan, Limits, ListenerPlan, Rule
from answerback.core.relay import PEER, UPSTREAM, Act, Connect, Finish, Intermediary, Pass
from answerback.core.relay.relay import QUIET_SECONDS
from answerback.core.selection import Rules
from answerback.core.session import Session
from answerback.core.session.forwarding import Forwarding
from answerback.core.session.script import OUTPUT_AHEAD
from answerback.core.upstream import Upstream
from tests.core.plans import plan, rule
from tests.core.playbook import Account, Somewhere

PONG = rule(Send(b"PONG\n"), when=b"PING")
SLOW = rule(steps.delay_fixed(1.0), Send(b"slow\n"), when=b"slow")
LATE = rule(steps.delay_fixed(1.0), steps.forward(), when=b"late")
DOWN = rule(Send(b"down\n"), name="down")


def between(
    *rules: Rule, on_forward: bool = False, down: bool = False, limits: Limits | None = None, **more: object
) -> ListenerPlan:
    made = plan(*(rules or (PONG, SLOW, LATE)), limits=limits)
    return replace(
        made,
        upstream=Upstream("a", 1, "", 5.0, on_forward=on_forward),
        streams=False,
        on_upstream_down=Rules([DOWN] if down else []),
        **more,  # type: ignore[arg-type]
    )


@dataclass
class Driver:
    """Performs acts, as a driver does; either side may be slow."""

    plan: ListenerPlan
    now: float = 0.0
    slow: list[bool] = field(default_factory=lambda: [False, False])
    sent: list[bytes] = field(default_factory=lambda: [b"", b""])
    unsent: list[bytes] = field(default_factory=lambda: [b"", b""])
    acts: list[Act] = field(default_factory=list)
    """All but Pass."""

    def __post_init__(self) -> None:
        self.account = Account()
        self.somewhere = Somewhere()
        self.relay = self._intermediary()
        self.perform(self.relay.start(self.now))

    def _intermediary(self) -> Intermediary:
        return Intermediary(ActivePlan(self.plan), self.now, self._context, self._session)

    def _context(self) -> RequestContext:
        return RequestContext("it", self.somewhere, self.account)

    def _session(self, now: float) -> Session:
        session = Session(self.relay._active, self.account, now, self.somewhere)
        session.forwarding = Forwarding()
        return session

    def perform(self, acts: Sequence[Act]) -> None:
        while acts:
            for act in acts:
                if isinstance(act, Pass):
                    self._send(act.side, bytes(act.data))
                else:
                    assert not isinstance(act, Finish) or not self.unsent[act.side], "FIN before what is unsent"
                    self.acts.append(act)
            acts = self.relay.next_acts(self.now) if self.relay.flowing else ()
        if self.relay.wants_turn:
            self.perform(self.relay.take_turn(self.now))

    def _send(self, side: int, data: bytes) -> None:
        if self.unsent[side] or self.slow[side]:
            if not self.unsent[side]:
                if side == PEER:
                    self.relay.peer_paused(self.now)
                self.relay.writing_paused(side)
            self.unsent[side] += data
        else:
            self.sent[side] += data

    def hurry(self, side: int) -> None:
        """The kernel takes everything again."""
        self.slow[side] = False
        if self.unsent[side]:
            self.sent[side] += self.unsent[side]
            self.unsent[side] = b""
            self.perform(self.relay.writing_resumed(side, self.now))

    def connect(self) -> "Driver":
        self.acts.clear()
        self.perform(self.relay.connected(self.now))
        return self

    def receive(self, side: int, data: bytes) -> bool:
        """Receive bytes if the side is read."""
        if not self.relay.wants_read(side):
            return False
        self.perform(self.relay.receive_data(side, data, self.now))
        return True

    def eof(self, side: int) -> None:
        self.perform(self.relay.receive_eof(side, self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass, with everything that is due."""
        until = self.now + seconds
        while self.relay.deadline <= until and not self.relay.over:
            self.now = max(self.now, self.relay.deadline)
            self.perform(self.relay.handle_timer(self.now))
        self.now = until


def test_upstream_is_connected_before_anything_is_read() -> None:
    driver = Driver(between())
    assert driver.acts == [Connect()]
    assert [driver.relay.wants_read(side) for side in (PEER, UPSTREAM)] == [False, False]
    assert driver.relay.waits_for == "upstream"
    driver.connect()
    assert [driver.relay.wants_read(side) for side in (PEER, UPSTREAM)] == [True, True]
    assert driver.relay.waits_for == "request"


def test_upstream_is_connected_for_the_first_request_that_is_forwarded() -> None:
    driver = Driver(between(on_forward=True))
    assert driver.receive(PEER, b"PING\nGET a\nPING\n")
    assert driver.acts == [Connect()]
    assert driver.sent == [b"PONG\nPONG\n", b""]
    assert not driver.receive(PEER, b"GET b\n")
    driver.connect()
    assert driver.sent[UPSTREAM] == b"GET a\n"
    assert driver.receive(PEER, b"GET b\n")
    assert driver.sent[UPSTREAM] == b"GET a\nGET b\n"


def test_rule_on_upstream_down_drops_the_script_and_the_request() -> None:
    driver = Driver(between(on_forward=True, down=True))
    driver.receive(PEER, b"late\nGET b\n")
    driver.wait(1.0)
    assert driver.acts == [Connect()]
    driver.perform(driver.relay.not_connected("ECONNREFUSED", driver.now))
    assert driver.sent == [b"down\n", b""]
    assert driver.acts == [Connect(), Connect()], "GET b is forwarded next"
    driver.connect()
    assert driver.sent[UPSTREAM] == b"GET b\n"


def test_faults_of_a_listener_without_rules_hold_what_is_relayed() -> None:
    late = (Fault("late", 0, Latency(Fixed(0.25))),)
    driver = Driver(replace(between(relay_faults=(late, late)), streams=True)).connect()
    driver.receive(UPSTREAM, b"a")
    assert (driver.sent[PEER], driver.relay.deadline) == (b"", 0.25)
    driver.perform(driver.relay.handle_timer(0.25))
    assert driver.sent[PEER] == b"a"


def test_delayed_replies_to_many_requests_come_at_the_same_time() -> None:
    """The fault holds replies: it does not keep the session from the next batch of requests."""
    late = (Fault("late", 0, Latency(Fixed(0.25))),)
    driver = Driver(between(relay_faults=((), late))).connect()
    driver.receive(PEER, b"PING\n" * 500)
    driver.wait(0.25)
    assert driver.sent[PEER] == b"PONG\n" * 500


def test_without_a_rule_on_upstream_down_the_client_is_reset() -> None:
    driver = Driver(between())
    driver.perform(driver.relay.not_connected("ECONNREFUSED", 1.0))
    assert driver.acts == [Connect(), Abort(CloseReason.UPSTREAM_DOWN)]
    assert driver.relay.over


def test_session_waits_while_the_upstream_is_slow() -> None:
    driver = Driver(between()).connect()
    driver.slow[UPSTREAM] = True
    driver.receive(PEER, b"GET a\n" * 100)
    assert driver.relay.waits_for == "upstream_reads"
    assert not driver.relay.wants_read(PEER)
    assert driver.relay.wants_read(UPSTREAM)
    assert driver.unsent[UPSTREAM] == b"GET a\n" * 64, "one batch"
    driver.hurry(UPSTREAM)
    assert driver.sent[UPSTREAM] == b"GET a\n" * 100


def test_silence_while_a_side_is_slow_is_none() -> None:
    driver = Driver(between(limits=Limits(idle_timeout=10.0, write_timeout=5.0))).connect()
    driver.slow = [True, True]
    driver.receive(UPSTREAM, b"1\n")
    driver.receive(PEER, b"GET a\n")
    driver.wait(60)
    assert driver.acts == []
    driver.hurry(PEER)
    driver.hurry(UPSTREAM)
    driver.wait(9)
    assert driver.acts == []
    driver.wait(2)
    assert driver.acts == [Finish(PEER), Finish(UPSTREAM)]


def test_drain_waits_until_nothing_has_passed_for_a_while() -> None:
    driver = Driver(between()).connect()
    driver.receive(PEER, b"GET a\n")
    driver.perform(driver.relay.drain(driver.now))
    assert driver.acts == []
    driver.wait(QUIET_SECONDS)
    assert driver.acts == [Finish(PEER), Finish(UPSTREAM)]


def test_drain_without_an_upstream_is_at_once() -> None:
    driver = Driver(between(on_forward=True))
    driver.receive(PEER, b"PING\n")
    driver.perform(driver.relay.drain(driver.now))
    assert driver.acts == [Finish(PEER)]
    driver.eof(PEER)
    assert driver.acts[1:] == [Close(CloseReason.DRAIN)]


@pytest.mark.parametrize("first", [PEER, UPSTREAM])
def test_fins_close_the_connection_for_the_first(first: int) -> None:
    driver = Driver(between()).connect()
    driver.eof(first)
    assert driver.acts == [Finish(1 - first)]
    driver.eof(1 - first)
    reason = (CloseReason.PEER_EOF, CloseReason.UPSTREAM_EOF)[first]
    assert driver.acts[1:] == [Finish(first), Close(reason)]


@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_any_cutting_and_slowness_gives_the_same(seed: int, on_forward: bool, late: bool) -> None:
    """Each end receives what it is to receive, in order, and both get FIN behind it."""
    chance = Random(seed)
    kinds = (b"PING\r\n", b"slow\n", b"late\n", b"GET a\n", b"\n")
    lines = [chance.choice(kinds) for _ in range(chance.randint(0, 150))]
    data, back = [b"".join(lines), chance.randbytes(50)], [0, 0]
    data[UPSTREAM] = data[UPSTREAM].replace(b"P", b"-").replace(b"s", b"-")
    faults = ((Fault("late", 0, Latency(Fixed(0.25))),),) * 2 if late else ((), ())
    driver = Driver(between(on_forward=on_forward, relay_faults=faults))
    closed = [False, False]
    connected = False
    for _ in range(3000):
        if Connect() in driver.acts and not connected:
            connected = True
            driver.connect()
        side = chance.choice((PEER, UPSTREAM))
        driver.slow[side] = chance.random() < 0.3
        if not driver.slow[side]:
            driver.hurry(side)
        if side == UPSTREAM and not connected:
            driver.wait(0.1)
            continue
        piece = data[side][back[side] : back[side] + chance.choice((1, 5, 50, 500))]
        if piece and driver.receive(side, piece):
            back[side] += len(piece)
        done = back[side] == len(data[side]) and (side == PEER or Finish(UPSTREAM) in driver.acts)
        if done and not closed[side] and driver.relay.wants_read(side):
            closed[side] = True
            driver.eof(side)
        driver.wait(chance.choice((0.0, 0.1, 1.0)))
        if driver.relay.over:
            break
    assert driver.relay.over
    assert driver.sent[UPSTREAM] == b"".join(line for line in lines if line in (b"late\n", b"GET a\n", b"\n"))
    local = b"".join(b"PONG\n" if line[:1] == b"P" else b"slow\n" for line in lines if line[:1] in (b"P", b"s"))
    assert sorted(driver.sent[PEER]) == sorted(local + data[UPSTREAM][: back[UPSTREAM]])
    assert is_part(local, driver.sent[PEER])
    assert is_part(data[UPSTREAM][: back[UPSTREAM]], driver.sent[PEER])
    assert len(driver.account.rules) + driver.account.unmatched_requests == len(lines)


def is_part(part: bytes, whole: bytes) -> bool:
    """Whether these bytes come in this order, with others between them."""
    rest = iter(whole)
    return all(byte in rest for byte in part)


def test_request_that_closes_has_a_duration_once_the_client_has_the_reply() -> None:
    end = steps.EndSession(by_reset=False, reason=CloseReason.SERVER_CLOSE)
    driver = Driver(between(rule(Send(b"bye\n"), end, when=b"QUIT"))).connect()
    driver.slow[PEER] = True
    driver.receive(PEER, b"QUIT\n")
    driver.wait(0.5)
    assert driver.account.durations == []
    driver.hurry(PEER)
    assert (driver.sent[PEER], driver.account.durations) == (b"bye\n", [0.5])


def test_duration_of_a_forwarded_request_ends_when_it_is_handed_on() -> None:
    driver = Driver(between()).connect()
    driver.slow[UPSTREAM] = True
    driver.receive(PEER, b"GET a\n")
    driver.wait(0.5)
    assert driver.account.durations == []
    driver.hurry(UPSTREAM)
    assert driver.account.durations == [0.5]


def test_replies_beyond_what_the_kernel_is_given_at_once_wait_until_it_has_taken_them() -> None:
    driver = Driver(between(rule(Send(bytes(OUTPUT_AHEAD // 2)), when=b"half"))).connect()
    driver.slow[PEER] = True
    driver.receive(PEER, b"half\n" * 3)
    assert len(driver.unsent[PEER]) == OUTPUT_AHEAD
    driver.hurry(PEER)
    assert len(driver.sent[PEER]) == OUTPUT_AHEAD * 3 // 2


def test_last_request_waits_for_its_turn_too() -> None:
    driver = Driver(between()).connect()
    driver.somewhere.clock = lambda: 1.0  # what was received at 0.0 has used up its turn
    acts = driver.relay.receive_data(PEER, b"GET a\nGET b\n", 0.0)
    assert acts == [Pass(UPSTREAM, b"GET a\n")]
    assert driver.relay.wants_turn
