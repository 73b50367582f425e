"""The session, as conversations over a driver without a network."""

from dataclasses import replace
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching, steps
from answerback.core.actions import Abort, BeginTls, Close, CloseReason, Forward, HalfClose, Reset, Send
from answerback.core.context import RequestContext
from answerback.core.framing import Fixed, Framing, Line, Read
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.core.session.closing import LINGER_BYTES, LINGER_SECONDS
from answerback.core.session.reader import READ_AHEAD
from answerback.core.session.script import OUTPUT_AHEAD
from tests.core.playbook import Playbook, after, connected, drain, eof

LINE = Line(keep_ending=False)


def rule(*taken: steps.Step, when: bytes | None = None, place: int = 0) -> Rule:
    return Rule("rule", place, taken, None if when is None else matching.equals(when), when)


def plan(*rules: Rule, framing: Framing = LINE, connect: Rule | None = None, **limits: float) -> ListenerPlan:
    bounds = Limits(**limits)  # type: ignore[arg-type]
    return ListenerPlan(
        "it",
        "",
        framing=framing,
        on_request=Rules(rules),
        on_connect=Rules([connect] if connect else []),
        limits=bounds,
    )


PONG = rule(steps.send(b"+PONG\r\n"))
HELLO = plan(rule(steps.send(b"Hello, World!"), steps.close()), framing=Read(1024))
SERVICES = plan(
    rule(steps.delay_fixed(0.25), steps.send(b"slow\n"), when=b"slow"),
    rule(steps.send(b"bye\n"), steps.close(), when=b"quit"),
    rule(steps.send(b"about to"), steps.reset(), when=b"reset"),
    rule(steps.discard(), when=b"nothing"),
    rule(steps.echo(), steps.send(b"\n")),
)


def test_session_of_hello_plan_answers_and_closes() -> None:
    book = Playbook(HELLO) >> b"anyone there?" << Send(b"Hello, World!") << HalfClose()
    book >> eof << Close(CloseReason.SERVER_CLOSE)
    assert book.session.over
    assert book.account.rules == [0]


def test_event_has_no_request_to_echo() -> None:
    echo = rule(steps.echo(), steps.send(b"bye\n"))
    book = Playbook(replace(SERVICES, on_eof=Rules([echo]))) >> b"a\n" << Send(b"a\n")
    book >> eof << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_eof_without_a_request_is_not_answered() -> None:
    book = Playbook(HELLO) >> eof << Close(CloseReason.PEER_EOF)
    assert book.account.rules == []


def test_pipelined_lines_are_answered_in_order() -> None:
    book = Playbook(SERVICES) >> b"a\r\nb\nc" << Send(b"a\nb\n")
    book >> b"d\n" << Send(b"cd\n")
    assert len(book.account.durations) == 3


def test_delay_holds_back_the_replies_after_it() -> None:
    book = Playbook(SERVICES) >> b"slow\na\n"
    book.silent() >> after(0.24)
    book.silent() >> after(0.01) << Send(b"slow\na\n")
    assert book.account.delays == [0.25]
    assert book.account.durations == [pytest.approx(0.25), 0.0]


def test_delay_then_close_ignores_further_requests() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(1), steps.send(b"late"), steps.close()))) >> b"x\ny\n" >> after(1)
    book << Send(b"late") << HalfClose()
    assert book.account.rules == [0]


def test_slow_reader_is_answered_no_faster_than_it_reads() -> None:
    reply = b"x" * OUTPUT_AHEAD
    book = Playbook(plan(rule(steps.send(reply))), room=10) >> b"a\nb\nc\n" << Send(reply)
    book.silent().read(len(reply)) << Send(reply)
    book.silent().read() << Send(reply)
    assert len(book.account.durations) == 3


@pytest.mark.parametrize("short, ahead", [(0, 1), (1, 2)])
def test_replies_are_made_until_the_output_has_its_bound(short: int, ahead: int) -> None:
    reply = b"x" * (OUTPUT_AHEAD - short)
    book = Playbook(plan(rule(steps.send(reply))), room=10) >> b"a\nb\nc\n" << Send(reply * ahead)
    book.silent().read() << Send(reply * (3 - ahead))
    assert book.turns == 0, "the rest of a turn is used when the kernel has taken everything"


def test_session_is_half_closed_between_its_fin_and_the_end() -> None:
    book = Playbook(plan(rule(steps.half_close())))
    book >> b"half\n" << HalfClose()
    assert book.session.half_closed
    assert not book.session.awaits_fin
    book >> eof << Close(CloseReason.PEER_EOF)
    assert not book.session.half_closed


def test_reply_in_progress_at_eof_is_sent() -> None:
    book = Playbook(SERVICES) >> b"slow\n" >> eof
    book.silent() >> after(0.25) << Send(b"slow\n") << Close(CloseReason.PEER_EOF)


def test_incomplete_frame_at_eof_is_counted_as_truncated() -> None:
    book = Playbook(SERVICES) >> b"a\nhalf" << Send(b"a\n")
    book >> eof << Close(CloseReason.PEER_EOF)
    assert (len(book.account.rules), book.account.truncations) == (1, 1)


def test_bytes_left_behind_a_delay_at_eof_are_one_read() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(1), steps.echo()), framing=Read(4))) >> b"abcdef" >> eof
    book >> after(2) << Send(b"abcdef") << Close(CloseReason.PEER_EOF)


def test_unmatched_request_is_counted_and_not_answered() -> None:
    book = Playbook(plan(rule(steps.echo(), when=b"a"))) >> b"b\na\n" << Send(b"a")
    assert (book.account.unmatched_requests, len(book.account.durations)) == (1, 2)


def test_discard_step_sends_nothing() -> None:
    book = Playbook(SERVICES) >> b"nothing\n"
    assert book.silent().account.rules == [0]


def test_reset_is_sent_after_the_earlier_bytes() -> None:
    Playbook(SERVICES) >> b"reset\na\n" << Send(b"about to") << Reset(CloseReason.SERVER_RESET)


def test_requests_after_a_close_are_not_answered() -> None:
    book = Playbook(SERVICES) >> b"quit\na\n" << Send(b"bye\n") << HalfClose()
    book >> b"a\n" >> eof << Close(CloseReason.SERVER_CLOSE)
    assert book.account.rules == [0]


def test_close_in_order_waits_for_the_fin_for_a_limited_time() -> None:
    book = Playbook(SERVICES) >> b"quit\n" << Send(b"bye\n") << HalfClose()
    book >> after(LINGER_SECONDS - 0.1) >> b"still here" >> after(0.1) << Close(CloseReason.SERVER_CLOSE)


def test_close_in_order_reads_a_limited_number_of_bytes() -> None:
    book = Playbook(SERVICES) >> b"quit\n" << Send(b"bye\n") << HalfClose()
    book >> b"x" * (LINGER_BYTES - 1) >> b"x" << Close(CloseReason.SERVER_CLOSE)


def test_connect_rule_replies_before_the_first_request() -> None:
    greeting = rule(steps.delay_fixed(0.1), steps.send(b"220 hi\r\n"), place=7)
    book = Playbook(plan(PONG, connect=greeting)) >> connected >> b"x\n"
    book.silent() >> after(0.1) << Send(b"220 hi\r\n+PONG\r\n")
    assert (book.account.events, len(book.account.durations)) == ([7], 1)


def test_session_says_whether_there_are_rules_on_connect() -> None:
    assert Playbook(plan(connect=rule(steps.send(b"up\n")))).session.has_connect_rules
    assert not Playbook(plan(PONG)).session.has_connect_rules


def test_agent_check_closes_without_a_request() -> None:
    book = Playbook(plan(connect=rule(steps.send(b"up\n"), steps.close()))) >> connected << Send(b"up\n") << HalfClose()
    book >> b"still here" >> eof << Close(CloseReason.SERVER_CLOSE)
    assert book.account.durations == []


def test_idle_timeout_counts_from_the_last_byte_or_reply() -> None:
    book = Playbook(replace(SERVICES, limits=Limits(idle_timeout=1))) >> after(0.9) >> b"slow\n" >> after(0.25)
    book << Send(b"slow\n") >> after(0.9) >> b"ha" >> after(0.9) >> b"lf" >> after(0.99)
    book.silent() >> after(0.02) << HalfClose() >> eof << Close(CloseReason.IDLE_TIMEOUT)


def test_idle_timeout_is_paused_while_a_reply_is_in_progress() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(10), steps.echo()), idle_timeout=1)) >> b"x\n" >> after(10)
    book << Send(b"x") >> after(1) << HalfClose()


def test_incomplete_request_is_closed_at_request_timeout() -> None:
    book = Playbook(plan(PONG, request_timeout=2)) >> b"PI" >> after(1) >> b"NG" >> after(0.9)
    book.silent() >> after(0.1) << HalfClose() >> eof << Close(CloseReason.REQUEST_TIMEOUT)


def test_request_timeout_restarts_with_each_request() -> None:
    book = Playbook(plan(PONG, request_timeout=2)) >> b"PI" >> after(1.5) >> b"NG\nPI" << Send(b"+PONG\r\n")
    book >> after(1.9) >> b"NG\n" << Send(b"+PONG\r\n") >> after(100)
    book.silent()


def test_peer_that_does_not_read_is_reset_at_write_timeout() -> None:
    book = Playbook(plan(rule(steps.send(b"x" * 100)), write_timeout=3), room=10) >> b"a\n" << Send(b"x" * 100)
    book >> after(2.9)
    book.silent() >> after(0.2) << Abort(CloseReason.WRITE_TIMEOUT)
    assert book.session.over


def test_peer_that_sent_fin_and_does_not_read_is_reset_at_write_timeout() -> None:
    book = Playbook(plan(rule(steps.send(b"x" * 100)), write_timeout=3), room=10) >> b"a\n" << Send(b"x" * 100)
    book >> eof >> after(3.1) << Abort(CloseReason.WRITE_TIMEOUT)


def test_write_timeout_restarts_when_a_reply_is_read() -> None:
    book = Playbook(plan(rule(steps.send(b"x" * 100)), write_timeout=3), room=10) >> b"a\n" << Send(b"x" * 100)
    (book >> after(2)).read(90)
    book >> b"a\n" << Send(b"x" * 100) >> after(2.9)
    book.silent()


def test_lifetime_ends_a_busy_connection() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(60), steps.echo()), lifetime=5)) >> b"x\n" >> after(5)
    book << HalfClose() >> eof << Close(CloseReason.MAX_LIFETIME)


@pytest.mark.parametrize("stream", [b"x" * 11 + b"\n", b"x" * 11, b"ok\n" + b"x" * 11])
def test_request_longer_than_the_maximum_closes(stream: bytes) -> None:
    book = Playbook(plan(rule(steps.discard()), max_request_bytes=10)) >> stream << HalfClose()
    book >> eof << Close(CloseReason.REQUEST_TOO_LARGE)


def test_request_of_max_size_is_answered_however_it_is_cut() -> None:
    book = Playbook(plan(PONG, max_request_bytes=4)) >> b"PING\r" >> b"\n" << Send(b"+PONG\r\n")
    book.silent()


def test_drain_finishes_replies_in_progress() -> None:
    book = Playbook(SERVICES) >> b"slow\na\n" >> drain
    book.silent() >> after(0.25) << Send(b"slow\na\n") << HalfClose() >> eof << Close(CloseReason.DRAIN)


def test_drain_waits_for_an_incomplete_request() -> None:
    book = Playbook(SERVICES) >> b"ha" >> drain
    book.silent() >> b"lf\n" << Send(b"half\n") << HalfClose()


def test_drain_closes_an_idle_connection() -> None:
    Playbook(SERVICES) >> drain << HalfClose() >> eof << Close(CloseReason.DRAIN)


def test_drain_after_the_first_request_waits_for_it() -> None:
    book = Playbook(SERVICES)
    book.session.drain_after_first_request()
    book.silent() >> after(0.25)
    assert not book.silent().session.eof
    book >> b"a\nb\n" << Send(b"a\nb\n") << HalfClose() >> eof << Close(CloseReason.DRAIN)


def test_drain_after_the_first_request_waits_for_the_rest_of_it() -> None:
    book = Playbook(SERVICES)
    book.session.drain_after_first_request()
    book >> b"ha"
    book.silent() >> b"lf\n" << Send(b"half\n") << HalfClose()


def test_session_stops_reading_at_its_read_ahead_limit() -> None:
    book = Playbook(SERVICES) >> b"slow\n" >> b"x" * READ_AHEAD
    assert not book.session.wants_read
    book >> after(0.25) << Send(b"slow\n")
    assert book.session.wants_read


def test_session_reads_again_once_read_ahead_is_answered() -> None:
    book = Playbook(SERVICES) >> b"slow\n" >> b"nothing\n" * (READ_AHEAD // 8)
    assert not book.session.wants_read
    book >> after(0.25) << Send(b"slow\n")
    assert book.session.wants_read


def test_session_adopts_a_new_plan_at_the_next_request() -> None:
    book = Playbook(SERVICES) >> b"slow\nx\n"
    book.active.plan = plan(PONG)
    book >> after(0.25) << Send(b"slow\n") << Send(b"+PONG\r\n")


def test_session_does_not_adopt_a_plan_with_another_framing() -> None:
    book = Playbook(SERVICES) >> b"a\n" << Send(b"a\n")
    book.active.plan = plan(PONG, framing=Read(10))
    book >> b"a\n" << Send(b"a\n")
    book.active.plan = plan(PONG)
    book >> b"a\n" << Send(b"a\n")


def test_lost_connection_has_no_deadline() -> None:
    book = Playbook(SERVICES) >> b"slow\n"
    assert book.session.connection_lost(CloseReason.PEER_RESET) == CloseReason.PEER_RESET
    assert book.session.over
    assert not book.session.handle_timer(book.now + 1)
    assert book.session.deadline == inf


def test_reset_after_our_fin_keeps_the_close_reason() -> None:
    book = Playbook(SERVICES) >> b"quit\n" << Send(b"bye\n") << HalfClose()
    assert book.session.connection_lost(CloseReason.PEER_RESET) == CloseReason.SERVER_CLOSE


def test_exception_in_a_step_is_raised() -> None:
    def broken(_turn: RequestContext) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        Playbook(plan(rule(broken))) >> b"x\n"


def heard(
    target: ListenerPlan, pieces: list[bytes]
) -> tuple[bytes, list[tuple[float, HalfClose | Close | Reset | Abort | BeginTls | Forward]], int, int]:
    book = Playbook(target)
    for piece in pieces:
        book >> piece
        book.unheard()
        if book.session.over:
            break
    book.unheard()
    if not book.session.over:
        book >> eof
        book.unheard()
        book >> after(100)
        book.unheard()
    sent = b"".join(action.data for _, action in book.transcript if isinstance(action, Send))
    others = [(when, action) for when, action in book.transcript if not isinstance(action, Send)]
    return sent, others, len(book.account.rules) + book.account.unmatched_requests, book.account.truncations


@given(
    st.lists(
        st.sampled_from([b"slow\n", b"quit\n", b"reset\n", b"nothing\r\n", b"a\n", b"\r\n", b"\xff\x00\n", b"xx"])
    ),
    st.sets(st.integers(0, 60)),
    st.sampled_from([LINE, Line(keep_ending=True)]),
    st.sampled_from([1 << 20, 4, 6]),
)
def test_session_answers_alike_however_the_stream_is_cut(
    words: list[bytes], cuts: set[int], framing: Framing, longest: int
) -> None:
    target = replace(SERVICES, framing=framing, limits=Limits(max_request_bytes=longest))
    stream = b"".join(words)
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(stream)), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places) if a < b]
    whole = heard(target, [stream] if stream else [])
    assert heard(target, pieces) == whole
    assert heard(target, [bytes((byte,)) for byte in stream]) == whole


@given(st.binary(max_size=200), st.sampled_from([LINE, Line(keep_ending=True), Read(7)]))
def test_arbitrary_bytes_of_a_peer_raise_nothing(stream: bytes, framing: Framing) -> None:
    heard(replace(SERVICES, framing=framing), [stream] if stream else [])


def test_session_deadline_is_the_earliest_of_its_clocks() -> None:
    target = plan(PONG, idle_timeout=10, request_timeout=4, lifetime=50)
    assert Playbook(target).session.deadline == 1010
    assert (Playbook(target) >> b"x").session.deadline == 1004
    assert (Playbook(target) >> b"x" >> b"\n" << Send(b"+PONG\r\n") >> after(9)).session.deadline == 1010


def test_repeated_request_is_answered_and_counted_each_time() -> None:
    book = Playbook(plan(PONG))
    for _ in range(3):
        book >> b"PING\r\nPING\n" << Send(b"+PONG\r\n" * 2)
    assert book.account.rules == [0] * 6
    assert len(book.account.durations) == 6


def said(book: Playbook, chunk: bytes) -> bytes:
    """What comes back at once, however it is cut."""
    book >> chunk
    data = b"".join(action.data for action in book.heard if isinstance(action, Send))
    book.unheard()
    return data


@given(
    st.lists(
        st.sampled_from([b"a\n", b"b\n", b"a\na\n", b"c\n", b"on\n", b"off\n", b"two\n", b"a", b"\n", b"x"]),
        max_size=30,
    )
)
def test_session_answers_alike_with_and_without_remembered_replies(chunks: list[bytes]) -> None:
    """One session of a listener that has heard it all before, one of a listener that has not."""
    rules = [
        rule(steps.send(b"A"), when=b"a", place=1),
        rule(steps.discard(), when=b"c", place=2),
        rule(steps.state("other"), when=b"on", place=3),
        rule(steps.state(""), when=b"off", place=4),
        rule(steps.set_framing(Fixed(2)), when=b"two", place=5),
        replace(rule(steps.send(b"B"), when=b"b", place=6), in_states=("other",)),
    ]
    known = plan(*rules)
    for chunk in [b"a\n", b"b\n", b"a\na\n", b"c\n", b"on\n", b"a\n", b"b\n"] * 3:
        said(Playbook(known), chunk)
    old, new = Playbook(known), Playbook(plan(*rules))
    for chunk in chunks:
        assert said(old, chunk) == said(new, chunk)
        assert old.account == new.account


def test_new_plan_does_not_use_remembered_replies_of_the_old_one() -> None:
    book = Playbook(plan(PONG)) >> b"PING\n" << Send(b"+PONG\r\n")
    book.active.plan = plan(rule(steps.send(b"-ERR\r\n")))
    book >> b"PING\n" << Send(b"-ERR\r\n")
