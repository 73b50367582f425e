"""A turn is bounded by time, for any client and any listener; the rest of the work is done in later turns.

The law: 64 KiB of the shortest requests never make another connection wait for more than 100 ms. It is held to each
framing and each match by the processor time of every call into the session; and by a clock that only the rules move.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from answerback.core import matching, steps
from answerback.core.actions import Action, Close, CloseReason, HalfClose, Send
from answerback.core.context import RequestContext
from answerback.core.faults import Drop, Fault
from answerback.core.framing import Fixed, Http, Line, Resp
from answerback.core.framing.incremental import PARTS_AT_ONCE
from answerback.core.matching import Matcher
from answerback.core.plan import ActivePlan, Limits, ListenerPlan, Rule
from answerback.core.selection import WEIGHT_AT_ONCE, Rules
from answerback.core.session import Session
from answerback.core.session.script import FREE_STEPS, OUTPUT_AHEAD, STEPS_AT_ONCE, TURN_SECONDS
from answerback.v1 import config_pb2 as v1
from tests.core.driving import (
    CONDITIONS,
    FLOOD,
    MANY_PARTS,
    MANY_RULES,
    ORDINARY_RULES,
    SHORTEST,
    WAIT,
    Driver,
    listener,
)
from tests.core.plans import plan, rule, say, template
from tests.core.playbook import Account, Playbook, Somewhere, after, connected, drain, eof

FRAMINGS = next(each for each in v1.Framing.DESCRIPTOR.oneofs)
MATCHES = next(each for each in v1.Match.DESCRIPTOR.oneofs)


def test_turn_tests_cover_every_framing_and_match() -> None:
    assert {text.partition(":")[0] for text, _ in SHORTEST.values()} == {each.name for each in FRAMINGS.fields}
    assert set(CONDITIONS) == {each.name for each in MATCHES.fields}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("framing", SHORTEST)
def test_flood_of_shortest_requests_takes_no_long_turn(framing: str, condition: str) -> None:
    text, request = SHORTEST[framing]
    driver = Driver(listener(text, condition, ORDINARY_RULES))
    driver.flood(request * (FLOOD // len(request)))
    if framing in ("idle", "until_eof"):
        driver.turn(driver.session.receive_eof)
    assert driver.longest < WAIT


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_flood_against_10000_rules_takes_no_long_turn(condition: str) -> None:
    driver = Driver(
        listener("line: {}", condition, MANY_RULES if "regex" not in condition else 1000)
    )  # they compile for long
    driver.flood(b"\n" * FLOOD)
    assert driver.longest < WAIT


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_flood_of_different_requests_takes_no_long_turn(condition: str) -> None:
    driver = Driver(listener("line: {}", condition, ORDINARY_RULES))
    driver.flood(b"".join(b"%x\n" % number for number in range(FLOOD))[:FLOOD])
    assert driver.longest < WAIT


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_long_request_takes_no_long_turn(condition: str) -> None:
    driver = Driver(listener("line: {}", condition, ORDINARY_RULES))
    driver.flood(b"a" * ((1 << 20) - 1) + b"\n")
    assert driver.longest < WAIT


@pytest.mark.parametrize("case", MANY_PARTS)
def test_requests_of_many_parts_take_no_long_turn(case: str) -> None:
    framing, head, part, tail = MANY_PARTS[case]
    driver = Driver(listener(framing, CONDITIONS["prefix"], 20))
    driver.flood(head + part * (((1 << 20) - len(head) - len(tail)) // len(part)) + tail)
    assert driver.longest < WAIT


# ── With a clock that only the rules move: where a turn ends, and that nothing is lost by it ──────────────────────────


@dataclass
class Stopwatch:
    """A clock that the test moves."""

    now: float = 1000.0
    tried: list[int] = field(default_factory=list)

    def matcher(self, number: int, seconds: float, *, holds: bool = False) -> Matcher:
        """A match that takes so long."""

        def matches(_request: bytes, _turn: RequestContext) -> bool:
            self.now += seconds
            self.tried.append(number)
            return holds

        return matches

    def playbook(self, target: ListenerPlan, room: int | None = None) -> Playbook:
        book = Playbook(target, room, Somewhere(clock=lambda: self.now))
        book.now = self.now
        return book

    def session(self, target: ListenerPlan) -> Session:
        return Session(ActivePlan(target), Account(), self.now, Somewhere(clock=lambda: self.now))


def slow_rule(watch: Stopwatch, *taken: steps.Step, seconds: float = 1.01 * TURN_SECONDS) -> Rule:
    return Rule("slow", 3, taken, watch.matcher(0, seconds, holds=True))


def turns(session: Session, watch: Stopwatch) -> Iterator[None]:
    """Before each turn that the session is given."""
    while True:
        while session.awaits_flush:
            session.writing_resumed(watch.now)
        if not session.wants_turn:
            return
        yield
        session.take_turn(watch.now)


def test_turn_ends_between_two_requests() -> None:
    watch = Stopwatch()
    session = watch.session(plan(slow_rule(watch, say(b"ok"), seconds=TURN_SECONDS * 0.26)))
    session.receive_data(b"x\n" * 10, watch.now)
    assert [len(watch.tried) for _ in turns(session, watch)] == [4, 8]
    assert len(watch.tried) == 10


def test_single_request_needs_one_turn() -> None:
    watch = Stopwatch()
    book = watch.playbook(plan(slow_rule(watch, say(b"ok"))))
    book >> b"x\n" << Send(b"ok")
    assert book.turns == 0


def test_turn_below_its_time_continues() -> None:
    watch = Stopwatch()
    book = watch.playbook(plan(slow_rule(watch, say(b"ok"), seconds=TURN_SECONDS / 100)))
    book >> b"x\n" * 64 << Send(b"ok" * 64)
    assert book.turns == 0


def test_cached_requests_share_a_turn_until_its_time_is_over() -> None:
    watch = Stopwatch()
    session = watch.session(plan(rule(say(b"ok"))))
    session.receive_data(b"x\n" * 1000, watch.now)
    assert session.awaits_flush
    wanted = [
        (session.writing_resumed(watch.now + TURN_SECONDS * part), session.wants_turn, session.wants_read)[1:]
        for part in (0.99, 1.01)
    ]
    assert wanted == [(False, True), (True, False)]


@pytest.mark.parametrize("rules,weight", [(3, 2 * WEIGHT_AT_ONCE), (300, 70), (WEIGHT_AT_ONCE * 6, 1)])
def test_search_yields_between_two_rules(rules: int, weight: int) -> None:
    watch = Stopwatch()
    heavy = [matching.any_of([watch.matcher(at, TURN_SECONDS / 10)] * weight) for at in range(rules)]
    session = watch.session(plan(*(Rule(str(at), at, (say(b"%d" % at),), each) for at, each in enumerate(heavy))))
    session.receive_data(b"x\nx\n", watch.now)
    assert session.wants_turn
    assert len(watch.tried) <= (FREE_STEPS + 2) * WEIGHT_AT_ONCE
    assert len(list(turns(session, watch))) > 1
    assert watch.tried == [at for _ in range(2) for at in range(rules) for _ in range(weight)], "each once, in order"


def test_composed_match_yields_between_its_parts() -> None:
    watch = Stopwatch()
    parts = [watch.matcher(at, TURN_SECONDS / 10) for at in range(3 * WEIGHT_AT_ONCE)]
    made = matching.none_of(matching.any_of([matching.any_of(parts)]))
    book = watch.playbook(plan(Rule("", 4, (say(b"ok"),), made))) >> b"x\n" << Send(b"ok")
    assert watch.tried == list(range(len(parts)))
    assert book.turns >= len(parts) // 11


def test_long_search_is_answered_once_in_order_and_counted() -> None:
    watch = Stopwatch()
    parts = [watch.matcher(at, TURN_SECONDS) for at in range(WEIGHT_AT_ONCE + 1)]
    made = matching.all_of([matching.none_of(matching.any_of(parts)), matching.prefix(b"a")])
    book = watch.playbook(plan(Rule("long", 7, (say(b"long"),), made), rule(say(b"short"), place=8)))
    book >> b"a\nb\nab\n" << Send(b"longshortlong")
    assert book.account.rules == [7, 8, 7]
    assert book.session.number == 3


def test_request_unmatched_after_a_long_search_is_counted_as_unmatched() -> None:
    watch = Stopwatch()
    parts = [watch.matcher(at, TURN_SECONDS) for at in range(WEIGHT_AT_ONCE + 1)]
    book = watch.playbook(plan(Rule("", 7, (say(b"no"),), matching.any_of(parts)))) >> b"a\nb\n"
    assert book.silent().account.unmatched_requests == 2


def long_search(watch: Stopwatch, *, finds: bool) -> Rules:
    """A rule on an event that is searched for long."""
    found = matching.any_of([watch.matcher(at, TURN_SECONDS / 100) for at in range(WEIGHT_AT_ONCE + 1)])
    return Rules([Rule("", 7, (say(b"yes"),), matching.none_of(found) if finds else found)])


def test_event_matched_after_a_long_search_is_answered() -> None:
    watch = Stopwatch()
    found = long_search(watch, finds=True)
    book = watch.playbook(plan(rule(steps.echo()), on_eof=found)) >> b"a\n" << Send(b"a") >> eof
    book << Send(b"yes") << Close(CloseReason.PEER_EOF)
    assert book.account.events == [7]
    assert book.turns > 10
    book = watch.playbook(plan(on_drain=found)) >> drain << Send(b"yes") << HalfClose()
    book >> eof << Close(CloseReason.DRAIN)
    watch.playbook(plan(on_idle=found, limits=Limits(idle_timeout=5))) >> after(5) << Send(b"yes")
    watch.playbook(plan(rule(steps.echo()), on_connect=found)) >> connected << Send(b"yes") >> b"a\n" << Send(b"a")


def test_event_unmatched_after_a_long_search_ends_like_others() -> None:
    watch = Stopwatch()
    none = long_search(watch, finds=False)
    book = watch.playbook(plan(on_eof=none)) >> eof << Close(CloseReason.PEER_EOF)
    assert book.turns > 10
    book = watch.playbook(plan(on_drain=none)) >> drain << HalfClose() >> eof << Close(CloseReason.DRAIN)
    book = watch.playbook(plan(on_idle=none, limits=Limits(idle_timeout=5))) >> after(5) << HalfClose()
    book >> eof << Close(CloseReason.IDLE_TIMEOUT)
    watch.playbook(plan(rule(steps.echo()), on_connect=none)) >> connected >> b"a\n" << Send(b"a")


def test_long_script_yields_between_its_steps() -> None:
    watch = Stopwatch()

    def work(_turn: RequestContext) -> Send:
        watch.now += TURN_SECONDS * 0.6
        return Send(b"x")

    book = watch.playbook(plan(rule(*[work] * 101))) >> b"a\nb\n" << Send(b"x" * 202)
    assert book.turns >= 2 * ((101 - FREE_STEPS) // (FREE_STEPS + 1))
    assert book.account.rules == [0, 0]


def test_script_with_much_output_waits_for_the_kernel() -> None:
    size = OUTPUT_AHEAD // 4
    book = Playbook(plan(rule(*[say(bytes(size))] * 40, say(b"."), steps.close())), room=size)
    book >> b"a\n"
    sent = sum(len(action.data) for action in book.heard if isinstance(action, Send))
    assert sent <= OUTPUT_AHEAD + size
    book.read()
    book << Send(bytes(40 * size) + b".") << HalfClose()


def test_script_with_dropped_output_yields_between_its_steps() -> None:
    watch = Stopwatch()

    def work(_turn: RequestContext) -> Send:
        watch.now += TURN_SECONDS / 8
        return Send(b"x")

    rules = Rules([Rule("", 1, (work,) * 200, has_faults=True)])
    target = ListenerPlan("it", "", framing=Line(), on_request=rules, faults=(Fault("", 0, Drop()),))
    book = watch.playbook(target) >> b"a\n"
    assert book.silent().turns >= 200 // (STEPS_AT_ONCE * (FREE_STEPS + 2))


def test_thousands_of_empty_dribbles_do_not_recurse() -> None:
    nothing = steps.dribble(b"", size=1, gap=0)
    book = Playbook(plan(rule(*[nothing] * 5000, say(b"ok")))) >> b"a\n" << Send(b"ok")
    assert book.account.rules == [0]


# ── A connection that waits for its turn ──────────────────────────────────────────────────────────────────────────────


def echoing(watch: Stopwatch, **limits: float) -> ListenerPlan:
    return plan(slow_rule(watch, steps.echo()), limits=Limits(**limits))  # type: ignore[arg-type]


def waiting(target: ListenerPlan, watch: Stopwatch) -> Session:
    """A session with two requests left, and no time."""
    session = watch.session(target)
    session.receive_data(b"x\ny\nz\n", watch.now)
    session.writing_resumed(watch.now)
    assert session.wants_turn
    return session


def rest(session: Session, watch: Stopwatch) -> list[Action]:
    """What the session does, with as many turns as it wants."""
    done: list[Action] = []
    while session.awaits_flush or session.wants_turn:
        done += session.writing_resumed(watch.now) if session.awaits_flush else session.take_turn(watch.now)
    return done


def test_bytes_received_while_waiting_for_a_turn_are_answered_last() -> None:
    watch = Stopwatch()
    session = waiting(echoing(watch), watch)
    assert session.receive_data(b"late\n", watch.now) == ()
    assert not session.wants_read
    assert rest(session, watch) == [Send(b"y"), Send(b"z"), Send(b"late")]
    assert session.wants_read


def test_fin_while_waiting_for_a_turn_closes_after_the_rest() -> None:
    watch = Stopwatch()
    session = waiting(echoing(watch), watch)
    assert session.receive_eof(watch.now) == ()
    assert rest(session, watch) == [Send(b"y"), Send(b"z"), Close(CloseReason.PEER_EOF)]


def test_drain_while_waiting_for_a_turn_closes_after_the_rest() -> None:
    watch = Stopwatch()
    session = waiting(echoing(watch), watch)
    assert session.drain(watch.now) == ()
    assert rest(session, watch) == [Send(b"y"), Send(b"z"), HalfClose()]


def test_connection_lost_while_waiting_for_a_turn_wants_none() -> None:
    watch = Stopwatch()
    session = waiting(echoing(watch), watch)
    assert session.connection_lost(CloseReason.PEER_RESET) == CloseReason.PEER_RESET
    assert not session.wants_turn
    assert session.take_turn(watch.now) == ()


def test_lifetime_while_waiting_for_a_turn_closes_without_the_rest() -> None:
    watch = Stopwatch()
    session = waiting(echoing(watch, lifetime=10.0), watch)
    assert list(session.handle_timer(1010.0)) == [HalfClose()]
    assert not session.wants_turn


def test_session_waiting_for_its_turn_idles_out_only_afterwards() -> None:
    watch = Stopwatch()
    session = waiting(echoing(watch, idle_timeout=5.0, request_timeout=3.0), watch)
    for _ in range(3):
        watch.now = session.deadline
        assert session.handle_timer(watch.now) == ()
    assert rest(session, watch) == [Send(b"y"), Send(b"z")]
    heard = watch.now
    while not (done := session.handle_timer(session.deadline)):
        assert session.deadline <= heard + 5.0
    assert list(done) == [HalfClose()]


def test_session_with_blocked_kernel_takes_its_turn_after_the_flush() -> None:
    watch = Stopwatch()
    session = watch.session(echoing(watch))
    session.receive_data(b"x\ny\nz\n", watch.now)
    session.writing_paused(watch.now)
    assert session.wants_turn
    assert session.take_turn(watch.now) == ()
    assert session.wants_turn
    assert session.writing_resumed(watch.now) == ()
    assert rest(session, watch) == [Send(b"y"), Send(b"z")]


def test_new_plan_while_waiting_for_a_turn_answers_the_rest() -> None:
    watch = Stopwatch()
    session = waiting(echoing(watch), watch)
    session.active.plan = plan(rule(say(b"new")))
    assert rest(session, watch) == [Send(b"new"), Send(b"new")]


# ── Requests of many parts ────────────────────────────────────────────────────────────────────────────────────────────


def chunks(count: int) -> bytes:
    return b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * count + b"0\r\n\r\n"


def bulks(count: int) -> bytes:
    return b"*%d\r\n" % count + b"$1\r\nx\r\n" * count


LATE = Somewhere(clock=lambda: 2000.0)  # each turn is over at once
PARTED = pytest.mark.parametrize("framing,request_of", [(Http(), chunks), (Resp(), bulks)], ids=["http", "resp"])


@PARTED
@pytest.mark.parametrize("count", [PARTS_AT_ONCE // 2, PARTS_AT_ONCE, PARTS_AT_ONCE + 1, 10 * PARTS_AT_ONCE])
@pytest.mark.parametrize("late", [False, True])
def test_requests_of_many_parts_are_received_whole(
    framing: Http | Resp, request_of: Callable[[int], bytes], count: int, late: bool
) -> None:
    request = request_of(count)
    connection = LATE if late else None
    book = Playbook(plan(rule(steps.echo()), framing=framing), connection=connection)
    book >> request * 3 + request[:-1] << Send(request * 3)
    book.silent() >> request[-1:] << Send(request)
    assert book.turns >= late * 3 * ((count - 1) // PARTS_AT_ONCE)
    book = Playbook(plan(rule(steps.echo()), framing=framing), connection=connection) >> request[:-1] >> eof
    book << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 1


@PARTED
def test_receive_step_receives_a_frame_of_many_parts(framing: Http | Resp, request_of: Callable[[int], bytes]) -> None:
    request = request_of(10 * PARTS_AT_ONCE)
    target = plan(rule(steps.receive(framing, "more"), say(template("${vars.more}"))), framing=Fixed(1))
    book = Playbook(target, connection=LATE) >> b"a" + request + b"b" << Send(request)
    assert book.account.rules == [0, 0]


def test_malformed_data_after_many_parts_closes_the_connection() -> None:
    book = Playbook(plan(rule(steps.echo()), framing=Http()), connection=LATE) >> chunks(1000)[:-5] + b"nonsense\r\n"
    book << HalfClose() >> eof << Close(CloseReason.MALFORMED_REQUEST)
