"""Sessions beyond answering a request: states, counts, scripts, and events that are not requests."""

import pytest

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.bounded_counter import CountedFor
from answerback.core.context import RequestContext
from answerback.core.expressions import Template, TooLongError
from answerback.core.framing import UntilEof
from answerback.core.plan import ActivePlan, Limits, Replies, WhenExhausted
from answerback.core.selection import Rules
from answerback.core.session import Session
from answerback.core.session.reader import READ_AHEAD
from answerback.core.session.script import HANG_SECONDS
from tests.core.plans import LINE, plan, rule, say, size, template
from tests.core.playbook import Account, Playbook, Somewhere, after, connected, drain, eof, fin


def test_state_selects_its_rules() -> None:
    book = Playbook(
        plan(
            rule(say(b"in\n"), steps.state("in"), when=b"login", in_states=("",)),
            rule(say(b"yes\n"), when=b"ask", in_states=("in", "admin")),
            rule(say(b"no\n")),
        )
    )
    book >> b"ask\nlogin\nask\nlogin\n" << Send(b"no\nin\nyes\nno\n")


def test_state_is_kept_under_a_new_plan() -> None:
    before = plan(rule(say(b"in\n"), steps.state("in"), when=b"login"), rule(say(b"out\n")))
    book = Playbook(before) >> b"login\n" << Send(b"in\n")
    book.active.plan = plan(rule(say(b"yes\n"), in_states=("in",)), rule(say(b"no\n")))
    book >> b"ask\n" << Send(b"yes\n")


def test_variable_keeps_its_value_between_requests() -> None:
    book = Playbook(
        plan(
            rule(say(template("${vars.last}\n")), when=b"last"),
            rule(steps.set_variable("last", template("<${request}>"))),
        )
    )
    book >> b"last\na\nlast\n" << Send(b"\n<a>\n")


def test_template_uses_names_of_the_request_and_connection() -> None:
    text = "${listener} ${peer.host}:${peer.port} ${local.port} ${connection.id} ${request_number} ${request}\n"
    book = Playbook(plan(rule(say(template(text))))) >> b"x\ny\n"
    book << Send(b"it 192.0.2.1:40000 8000 7-1 1 x\n") << Send(b"it 192.0.2.1:40000 8000 7-1 2 y\n")


def test_template_too_large_in_a_rule_closes_the_connection() -> None:
    def endless(_turn: RequestContext) -> None:
        raise TooLongError

    Playbook(plan(rule(endless))) >> b"x\n" << HalfClose() >> eof << Close(CloseReason.REPLY_TOO_LARGE)


def test_rule_with_times_matches_that_many_times() -> None:
    connection = Somewhere()
    target = plan(rule(say(b"yes\n"), when=b"a", times=2, place=1), rule(say(b"no\n")))
    Playbook(target, connection=connection) >> b"a\nb\na\na\n" << Send(b"yes\nno\nyes\nno\n")
    Playbook(target, connection=connection) >> b"a\n" << Send(b"no\n")


def test_rule_counted_per_connection_starts_again_on_each_connection() -> None:
    connection = Somewhere()
    target = plan(rule(say(b"yes\n"), times=1, scope=CountedFor.CONNECTION), rule(say(b"no\n")))
    for _ in range(2):
        Playbook(target, connection=connection) >> b"a\na\n" << Send(b"yes\nno\n")


def test_rule_counted_per_peer_starts_again_for_each_address() -> None:
    connection = Somewhere()
    replies = Replies(((say(b"1"),), (say(b"2"),)), WhenExhausted.NEXT_RULE)
    target = plan(
        rule(say(b"yes"), when=b"a", times=2, scope=CountedFor.PEER, place=1),
        rule(when=b"b", replies=replies, scope=CountedFor.PEER, place=2),
        rule(say(b"-")),
    )
    for peer, said, heard in (
        (("192.0.2.1", 1), b"a\nb\n", b"yes1"),
        (("192.0.2.2", 1), b"a\na\na\nb\nb\nb\n", b"yesyes-12-"),
        (("192.0.2.1", 2), b"a\na\nb\nb\n", b"yes-2-"),
    ):
        connection.peer = peer
        Playbook(target, connection=connection) >> said << Send(heard)


@pytest.mark.parametrize("scope", CountedFor)
def test_rule_with_a_window_matches_again_after_its_end(scope: CountedFor) -> None:
    connection = Somewhere()
    target = plan(rule(say(b"yes\n"), times=2, per=10.0, scope=scope), rule(say(b"no\n")))
    book = Playbook(target, connection=connection)
    connection.clock = lambda: book.now
    book >> after(3) >> b"a\na\na\n" << Send(b"yes\nyes\nno\n")
    book >> after(9.999) >> b"a\n" << Send(b"no\n")
    book >> after(0.001) >> b"a\na\na\n" << Send(b"yes\nyes\nno\n")


def test_replies_start_again_in_each_window() -> None:
    connection = Somewhere()
    replies = Replies(((say(b"1"),), (say(b"2"),), (say(b"3"),)), WhenExhausted.NEXT_RULE)
    book = Playbook(plan(rule(replies=replies, per=1.0), rule(say(b"-"))), connection=connection)
    connection.clock = lambda: book.now
    book >> b"a\na\n" << Send(b"12")
    book >> after(1) >> b"a\na\na\na\n" << Send(b"123-")


@pytest.mark.parametrize(
    "then,heard",
    [
        (WhenExhausted.REPEAT_LAST, b"122222"),
        (WhenExhausted.CYCLE, b"121212"),
        (WhenExhausted.NEXT_RULE, b"12----"),
    ],
)
def test_replies_are_given_in_their_order(then: WhenExhausted, heard: bytes) -> None:
    replies = Replies(((say(b"1"),), (say(b"2"),)), then)
    Playbook(plan(rule(replies=replies), rule(say(b"-")))) >> b"a\n" * 6 << Send(heard)


def test_random_replies_follow_their_weights() -> None:
    replies = Replies(((say(b"1"),), (say(b"2"),)), WhenExhausted.RANDOM, (3.0, 1.0))
    book = Playbook(plan(rule(replies=replies)))
    heard = b""
    for _ in range(400):
        book >> b"a\n"
        action = book.heard.pop(0)
        assert isinstance(action, Send)
        heard += action.data
    assert 250 < heard.count(b"1") < 350


def test_reply_with_a_delay_keeps_its_place_among_the_replies() -> None:
    replies = Replies(((steps.delay_fixed(1), say(b"1")), (say(b"2"),)))
    book = Playbook(plan(rule(replies=replies))) >> b"a\nb\n" >> after(1)
    book << Send(b"12")


def test_dribble_in_chunks_makes_the_first_pieces_longer() -> None:
    book = Playbook(plan(rule(steps.dribble(b"abcdefgh\n", chunks=3, gap=0.1)))) >> b"x\nx" << Send(b"abc")
    book.silent() >> after(0.1) << Send(b"def")
    book.silent() >> after(0.1) << Send(b"gh\n")


def test_dribble_of_a_template_in_pieces_of_a_size_is_sent_with_gaps() -> None:
    book = Playbook(plan(rule(steps.dribble(template("${request}!"), size=2, gap=0.1), say(b".")))) >> b"abcd\n"
    book << Send(b"ab") >> after(0.1) << Send(b"cd") >> after(0.1) << Send(b"!.")


def test_half_close_sends_no_more_and_keeps_reading() -> None:
    book = Playbook(plan(rule(say(b"last\n"), steps.half_close()))) >> b"x\ny\n" << Send(b"last\n") << HalfClose()
    book >> after(60) >> b"more\n" >> eof << Close(CloseReason.PEER_EOF)
    assert book.account.rules == [0]


def test_requests_queued_behind_half_close_are_not_answered() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(1), steps.half_close(), steps.set_framing_of_size(size("0")))))
    book >> b"x\ny\nz" >> eof >> after(1) << HalfClose() << Close(CloseReason.PEER_EOF)
    assert book.account.rules == [0]
    assert book.account.truncations == 0


def test_close_after_half_close_ends_the_connection() -> None:
    script = (steps.half_close(), steps.delay_fixed(1), steps.close())
    book = Playbook(plan(rule(*script))) >> b"x\n" << HalfClose()
    book >> after(3) << Close(CloseReason.SERVER_CLOSE)


def test_half_closed_connection_is_closed_at_idle_timeout() -> None:
    book = Playbook(plan(rule(steps.half_close()), limits=Limits(idle_timeout=5))) >> b"x\n" << HalfClose()
    book >> after(4) >> b"y" >> after(4)
    book.silent() >> after(4) << Close(CloseReason.IDLE_TIMEOUT)


def test_half_close_after_fin_of_the_client_ends_the_connection() -> None:
    script = (steps.delay_fixed(1), say(b"x"), steps.half_close())
    (
        Playbook(plan(rule(*script)))
        >> b"x\n"
        >> eof
        >> after(1)
        << Send(b"x")
        << HalfClose()
        << Close(CloseReason.PEER_EOF)
    )


def test_hang_ends_at_the_lifetime() -> None:
    book = Playbook(plan(rule(steps.hang(), say(b"never")))) >> b"x\ny\n" >> after(HANG_SECONDS - 1)
    book.silent() >> after(1) << HalfClose() >> eof << Close(CloseReason.MAX_LIFETIME)
    short = plan(rule(steps.hang()), limits=Limits(lifetime=3))
    Playbook(short) >> b"x\n" >> after(3) << HalfClose() >> eof << Close(CloseReason.MAX_LIFETIME)
    long = plan(rule(steps.hang()), limits=Limits(lifetime=2 * HANG_SECONDS))
    book = (Playbook(long) >> b"x\n" >> after(2 * HANG_SECONDS - 1)).silent()
    book >> after(1) << HalfClose() >> eof << Close(CloseReason.MAX_LIFETIME)


@pytest.mark.parametrize("ignore_fin", [False, True])
def test_drain_ends_a_hang_in_order(ignore_fin: bool) -> None:
    held = plan(rule(steps.hang(ignore_fin=ignore_fin)))
    book = Playbook(held) >> b"x\n" >> drain << HalfClose()
    book >> eof << Close(CloseReason.DRAIN)
    later = plan(rule(steps.delay_fixed(1), steps.hang(ignore_fin=ignore_fin)))
    Playbook(later) >> b"x\n" >> drain >> after(1) << HalfClose() >> eof << Close(CloseReason.DRAIN)


def test_drain_ends_a_hang_that_has_ignored_a_fin() -> None:
    Playbook(plan(rule(steps.hang(ignore_fin=True)))) >> b"x\n" >> eof >> drain << Close(CloseReason.DRAIN)


def test_hang_step_ends_at_fin_unless_ignored() -> None:
    Playbook(plan(rule(steps.hang()))) >> b"x\ny" >> after(9) >> eof << Close(CloseReason.PEER_GAVE_UP)
    (
        Playbook(plan(rule(steps.half_close(), steps.hang())))
        >> b"x\n"
        << HalfClose()
        >> eof
        << Close(CloseReason.PEER_GAVE_UP)
    )
    book = Playbook(plan(rule(steps.hang(ignore_fin=True)))) >> b"x\n" >> eof >> after(HANG_SECONDS - 1)
    book.silent() >> after(1) << Close(CloseReason.MAX_LIFETIME)


def test_hang_after_the_fin_ends_at_once() -> None:
    until_eof = plan(rule(steps.send(b"hm"), steps.hang()), framing=UntilEof())
    Playbook(until_eof) >> b"all" >> eof << Send(b"hm") << Close(CloseReason.PEER_GAVE_UP)


def test_fin_after_unread_bytes_ends_a_hang_in_order() -> None:
    book = Playbook(plan(rule(steps.hang()))) >> b"x\n" + b"y" * READ_AHEAD
    wanted = [book.session.wants_read]
    book >> fin << HalfClose()
    assert [*wanted, book.session.wants_read] == [False, True]  # what is there is discarded, up to the FIN
    book >> b"y" >> eof << Close(CloseReason.PEER_GAVE_UP)


def test_fin_after_unread_bytes_during_a_delay_ends_the_following_hang() -> None:
    later = plan(rule(steps.delay_fixed(1), steps.send(b"owed"), steps.hang()))
    book = Playbook(later) >> b"x\n" + b"y" * READ_AHEAD >> fin
    book.silent() >> after(1) << Send(b"owed") << HalfClose() >> eof << Close(CloseReason.PEER_GAVE_UP)
    ignoring = plan(rule(steps.hang(ignore_fin=True)))
    (Playbook(ignoring) >> b"x\n" + b"y" * READ_AHEAD >> fin >> after(100)).silent()


@pytest.mark.parametrize("ignore_fin", [False, True])
def test_reset_during_a_hang_is_counted_as_peer_gave_up(ignore_fin: bool) -> None:
    book = Playbook(plan(rule(steps.hang(ignore_fin=ignore_fin)))) >> b"x\n"
    assert book.session.connection_lost(CloseReason.PEER_RESET) == CloseReason.PEER_GAVE_UP
    book = Playbook(plan(rule(steps.delay_fixed(9)))) >> b"x\n"
    assert book.session.connection_lost(CloseReason.PEER_RESET) == CloseReason.PEER_RESET
    book = Playbook(plan(rule(steps.hang()))) >> b"x\n"
    assert book.session.connection_lost(CloseReason.PEER_LOST) == CloseReason.PEER_LOST


def test_rejected_session_closes_in_order_and_ignores_data() -> None:
    session = Session(ActivePlan(plan(rule(say(b"never")))), Account(), 0.0)
    assert session.reject(CloseReason.SERVER_CLOSE) == (HalfClose(),)
    assert session.writing_resumed(0.0) == ()
    assert session.receive_data(b"x\n", 0.1) == ()
    assert session.receive_eof(0.2) == (Close(CloseReason.SERVER_CLOSE),)


def test_idle_rule_replaces_the_close_by_idle_timeout() -> None:
    nudge = Rules([rule(say(b"still there?\n"), place=9)])
    book = Playbook(plan(limits=Limits(idle_timeout=1), on_idle=nudge)) >> after(1) << Send(b"still there?\n")
    book >> after(0.9)
    book.silent() >> after(0.1) << Send(b"still there?\n")
    assert book.account.events == [9, 9]


def test_idle_rule_may_close_the_connection() -> None:
    late = Rules([rule(say(b"too slow\n"), steps.close())])
    book = Playbook(plan(limits=Limits(idle_timeout=0.5), framing=UntilEof(), on_idle=late)) >> b"half a" >> after(0.5)
    book << Send(b"too slow\n") << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)


def test_eof_rule_replies_before_the_close() -> None:
    last = Rules([rule(steps.delay_fixed(1), say(b"bye\n"))])
    book = Playbook(plan(rule(steps.echo()), on_eof=last)) >> b"a\nhalf" << Send(b"a") >> eof
    book.silent() >> after(1) << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_eof_rule_replies_although_a_receive_step_waits() -> None:
    target = plan(rule(steps.receive(LINE, "more"), say(b"never")), on_eof=Rules([rule(say(b"bye\n"))]))
    Playbook(target) >> b"a\n" >> eof << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_drain_rule_replies_before_the_close() -> None:
    last = Rules([rule(say(b"bye\n"))])
    book = (
        Playbook(plan(rule(steps.echo()), on_drain=last))
        >> b"a\n"
        << Send(b"a")
        >> drain
        << Send(b"bye\n")
        << HalfClose()
    )
    book >> eof << Close(CloseReason.DRAIN)


def test_connect_rule_with_a_count_greets_once() -> None:
    greeting = Rules([rule(say(b"first\n"), times=1, place=3), rule(say(b"hi\n"))])
    connection = Somewhere()
    target = plan(on_connect=greeting)
    Playbook(target, connection=connection) >> connected << Send(b"first\n")
    Playbook(target, connection=connection) >> connected << Send(b"hi\n")


def test_closed_session_releases_its_surroundings() -> None:
    book = Playbook(plan(rule(steps.echo()))) >> eof << Close(CloseReason.PEER_EOF)
    assert book.session.connection is None


def test_eof_without_a_matching_rule_closes() -> None:
    farewell = rule(say(b"bye\n"), in_states=("in",))
    Playbook(plan(on_eof=Rules([farewell]))) >> eof << Close(CloseReason.PEER_EOF)


@pytest.mark.parametrize("text", [b"x" * 20_000, template("${request}" + "x" * 20_000)])
def test_replies_are_produced_only_while_the_kernel_accepts_them(text: bytes | Template) -> None:
    session = Session(ActivePlan(plan(rule(say(text), steps.discard()))), Account(), 0.0, Somewhere())
    made = session.receive_data(b"a\n" * 100, 0.0)
    assert sum(len(action.data) for action in made if isinstance(action, Send)) < 100_000


def test_closing_session_discards_its_buffer() -> None:
    book = Playbook(plan(rule(say(b"bye\n"), steps.close()))) >> b"quit\n" + b"more" * 1000
    book << Send(b"bye\n") << HalfClose()
    assert not book.session.conversation.buffer
