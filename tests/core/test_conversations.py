"""What a session does beyond answering a request: states, counts, frames, and events that are no request."""

import pytest

from answerback.core import matching, steps, templates
from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.answering import EMPTY_IN_A_ROW
from answerback.core.framing import Delimiter, Fixed, Framing, Idle, LengthPrefix, Line, UntilEof
from answerback.core.plan import Limits, ListenerPlan, PlanInForce, Replies, Rule, Rules, Then
from answerback.core.playing import HOLD_SECONDS
from answerback.core.session import Session
from answerback.core.turn import Turn
from tests.core.playbook import Account, Playbook, Somewhere, after, connected, drain, eof

LINE = Line(keep_ending=False)


def rule(
    *taken: steps.Step,
    when: bytes | None = None,
    in_states: tuple[str, ...] = (),
    times: int = 0,
    replies: Replies | None = None,
    per_connection: bool = False,
    name: str = "rule",
    place: int = 0,
) -> Rule:
    matcher = None if when is None else matching.equals(when)
    return Rule(
        name,
        place,
        taken,
        matcher,
        when,
        in_states=in_states,
        times=times,
        per_connection=per_connection,
        replies=replies,
        counter=place,
    )


def plan(
    *rules: Rule,
    framing: Framing = LINE,
    limits: Limits | None = None,
    on_connect: Rules | None = None,
    on_idle: Rules | None = None,
    on_eof: Rules | None = None,
    on_drain: Rules | None = None,
) -> ListenerPlan:
    return ListenerPlan(
        "it",
        "",
        framing=framing,
        on_request=Rules(rules),
        on_connect=on_connect or Rules(),
        on_idle=on_idle or Rules(),
        on_eof=on_eof or Rules(),
        on_drain=on_drain or Rules(),
        limits=limits or Limits(),
    )


def say(text: bytes | templates.Template) -> steps.Step:
    return steps.send(text)


def template(text: str) -> templates.Template:
    return templates.compile(text)


def test_a_state_chooses_among_the_rules() -> None:
    book = Playbook(
        plan(
            rule(say(b"in\n"), steps.state("in"), when=b"login", in_states=("",)),
            rule(say(b"yes\n"), when=b"ask", in_states=("in", "admin")),
            rule(say(b"no\n")),
        )
    )
    book >> b"ask\nlogin\nask\nlogin\n" << Send(b"no\nin\nyes\nno\n")


def test_a_variable_is_remembered() -> None:
    book = Playbook(
        plan(
            rule(say(template("${vars.last}\n")), when=b"last"),
            rule(steps.set_variable("last", template("<${request}>"))),
        )
    )
    book >> b"last\na\nlast\n" << Send(b"\n<a>\n")


def test_a_template_sees_the_turn() -> None:
    text = "${listener} ${peer.host}:${peer.port} ${local.port} ${connection.id} ${request.number} ${request}\n"
    book = Playbook(plan(rule(say(template(text))))) >> b"x\ny\n"
    book << Send(b"it 192.0.2.1:40000 8000 7-1 1 x\n") << Send(b"it 192.0.2.1:40000 8000 7-1 2 y\n")


def test_a_template_that_grows_too_large_closes() -> None:
    def endless(_turn: Turn) -> None:
        raise templates.TooLong

    Playbook(plan(rule(endless))) >> b"x\n" << HalfClose() >> eof << Close(CloseReason.REPLY_TOO_LARGE)


def test_a_rule_matches_so_often() -> None:
    surroundings = Somewhere()
    target = plan(rule(say(b"yes\n"), when=b"a", times=2, place=1), rule(say(b"no\n")))
    Playbook(target, surroundings=surroundings) >> b"a\nb\na\na\n" << Send(b"yes\nno\nyes\nno\n")
    Playbook(target, surroundings=surroundings) >> b"a\n" << Send(b"no\n")


def test_a_count_of_the_connections_own() -> None:
    surroundings = Somewhere()
    target = plan(rule(say(b"yes\n"), times=1, per_connection=True), rule(say(b"no\n")))
    for _ in range(2):
        Playbook(target, surroundings=surroundings) >> b"a\na\n" << Send(b"yes\nno\n")


@pytest.mark.parametrize(
    "then,heard",
    [
        (Then.HOLD, b"122222"),
        (Then.CYCLE, b"121212"),
        (Then.NEXT_RULE, b"12----"),
    ],
)
def test_replies_in_turn(then: Then, heard: bytes) -> None:
    replies = Replies(((say(b"1"),), (say(b"2"),)), then)
    Playbook(plan(rule(replies=replies), rule(say(b"-")))) >> b"a\n" * 6 << Send(heard)


def test_replies_at_random_by_weight() -> None:
    replies = Replies(((say(b"1"),), (say(b"2"),)), Then.RANDOM, (3.0, 1.0))
    book = Playbook(plan(rule(replies=replies)))
    heard = b""
    for _ in range(400):
        book >> b"a\n"
        action = book.heard.pop(0)
        assert isinstance(action, Send)
        heard += action.data
    assert 250 < heard.count(b"1") < 350


def test_a_script_that_waits_is_one_of_the_replies() -> None:
    replies = Replies(((steps.delay_fixed(1), say(b"1")), (say(b"2"),)))
    book = Playbook(plan(rule(replies=replies))) >> b"a\nb\n" >> after(1)
    book << Send(b"12")


def test_a_dribble_is_cut_evenly_the_first_pieces_the_longer() -> None:
    book = Playbook(plan(rule(steps.dribble(b"abcdefgh\n", chunks=3, gap=0.1)))) >> b"x\nx" << Send(b"abc")
    book.silent() >> after(0.1) << Send(b"def")
    book.silent() >> after(0.1) << Send(b"gh\n")


def test_a_dribble_of_a_template_in_pieces_of_a_size() -> None:
    book = Playbook(plan(rule(steps.dribble(template("${request}!"), size=2, gap=0.1), say(b".")))) >> b"abcd\n"
    book << Send(b"ab") >> after(0.1) << Send(b"cd") >> after(0.1) << Send(b"!.")


def test_half_close_says_no_more_and_listens() -> None:
    book = Playbook(plan(rule(say(b"last\n"), steps.half_close()))) >> b"x\ny\n" << Send(b"last\n") << HalfClose()
    book >> after(60) >> b"more\n" >> eof << Close(CloseReason.PEER_EOF)
    assert book.account.rules == [0]


def test_what_waited_is_not_answered_behind_a_half_close() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(1), steps.half_close(), steps.frame_of_size(template("0")))))
    book >> b"x\ny\nz" >> eof >> after(1) << HalfClose() << Close(CloseReason.PEER_EOF)
    assert book.account.rules == [0]
    assert book.account.truncations == 0


def test_half_close_and_later_close() -> None:
    script = (steps.half_close(), steps.delay_fixed(1), steps.close())
    book = Playbook(plan(rule(*script))) >> b"x\n" << HalfClose()
    book >> after(3) << Close(CloseReason.SERVER_CLOSE)


def test_a_half_closed_connection_idles_out() -> None:
    book = Playbook(plan(rule(steps.half_close()), limits=Limits(idle_timeout=5))) >> b"x\n" << HalfClose()
    book >> after(4) >> b"y" >> after(4)
    book.silent() >> after(4) << Close(CloseReason.IDLE_TIMEOUT)


def test_half_close_behind_the_peers_fin() -> None:
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


def test_hold_holds_until_the_lifetime_ends() -> None:
    book = Playbook(plan(rule(steps.hold(), say(b"never")))) >> b"x\ny\n" >> after(HOLD_SECONDS - 1)
    book.silent() >> after(1) << HalfClose() >> eof << Close(CloseReason.LIFETIME)
    short = plan(rule(steps.hold()), limits=Limits(lifetime=3))
    Playbook(short) >> b"x\n" >> after(3) << HalfClose() >> eof << Close(CloseReason.LIFETIME)
    long = plan(rule(steps.hold()), limits=Limits(lifetime=2 * HOLD_SECONDS))
    book = (Playbook(long) >> b"x\n" >> after(2 * HOLD_SECONDS - 1)).silent()
    book >> after(1) << HalfClose() >> eof << Close(CloseReason.LIFETIME)


def test_a_dismissed_session_closes_in_order_and_hears_nothing() -> None:
    session = Session(PlanInForce(plan(rule(say(b"never")))), Account(), 0.0)
    assert session.dismiss(CloseReason.SERVER_CLOSE) == (HalfClose(),)
    assert session.flushed(0.0) == ()
    assert session.receive(b"x\n", 0.1) == ()
    assert session.eof(0.2) == (Close(CloseReason.SERVER_CLOSE),)


def test_a_frame_step_rules_what_is_behind_its_own_request() -> None:
    target = plan(
        rule(
            say(b"go\n"), steps.frame(Delimiter(b".", keep=False)), steps.state("data"), when=b"DATA", in_states=("",)
        ),
        rule(say(template("${len:request}\n")), steps.frame(LINE), steps.state(""), in_states=("data",)),
        rule(say(b"?\n")),
    )
    Playbook(target) >> b"a\nDATA\none\ntwo.b\nDATA\n" << Send(b"?\ngo\n7\n?\ngo\n")
    Playbook(target) >> b"DATA\none" << Send(b"go\n") >> b"\ntwo" >> b".b\n" << Send(b"7\n?\n")


@pytest.mark.parametrize("size,body", [(3, b"a\nb"), (0, b"")])
def test_a_frame_of_a_size_is_for_one_request(size: int, body: bytes) -> None:
    target = plan(
        rule(say(template("body ${request}\n")), steps.state(""), in_states=("body",)),
        rule(say(b"line\n"), when=b"x"),
        rule(steps.frame_of_size(template("${request}")), steps.state("body")),
    )
    whole = str(size).encode() + b"\n" + body
    book = Playbook(target) >> whole << Send(b"body " + body + b"\n") >> b"x\n" << Send(b"line\n")
    book >> whole + b"x\nx\n" << Send(b"body " + body + b"\nline\nline\n")
    assert len(book.account.rules) == 7


@pytest.mark.parametrize("pause", [(), (steps.delay_fixed(0.01),)])
def test_a_rule_that_asks_for_nothing_each_time_comes_to_an_end(pause: tuple[steps.Step, ...]) -> None:
    book = Playbook(plan(rule(*pause, steps.frame_of_size(template("0")), steps.discard()))) >> b"x\n"
    if pause:
        book >> after(1)
    book << HalfClose() >> eof << Close(CloseReason.MALFORMED_REQUEST)
    assert len(book.account.rules) == 1 + EMPTY_IN_A_ROW


def test_requests_without_a_byte_may_be_many_if_others_come_between() -> None:
    target = plan(
        rule(say(b"."), steps.state(""), in_states=("body",)),
        rule(steps.state("body"), steps.frame_of_size(template("0"))),
    )
    Playbook(target) >> b"\n" * 3 * EMPTY_IN_A_ROW << Send(b"." * 3 * EMPTY_IN_A_ROW)


def test_a_size_that_is_no_number_closes() -> None:
    book = Playbook(plan(rule(steps.frame_of_size(template("${request}"))))) >> b"x\n" << HalfClose()
    book >> eof << Close(CloseReason.MALFORMED_REQUEST)


def test_take_reads_a_body_in_the_middle_of_a_script() -> None:
    script = (steps.take_of_size(template("${request}"), "body"), say(template("got ${vars.body}\n")))
    target = plan(rule(say(b"line\n"), when=b"x"), rule(*script))
    Playbook(target) >> b"3\na\nbx\n0\nx\n" << Send(b"got a\nb\nline\ngot \nline\n")
    book = Playbook(target) >> b"3\na" >> b"\n"
    book.silent() >> b"bx\n" << Send(b"got a\nb\nline\n")
    assert len(book.account.rules) == 2


def test_take_under_a_framing_of_its_own() -> None:
    script = (say(b"more?\n"), steps.take(LINE, "more"), say(template("${request}+${vars.more}\n")))
    book = Playbook(plan(rule(*script))) >> b"a\n" << Send(b"more?\n")
    book >> after(1) >> b"b\nc\nd\n" << Send(b"a+b\nmore?\nc+d\n")


def test_what_is_taken_must_come_in_time() -> None:
    target = plan(rule(steps.take(LINE, "more")), limits=Limits(request_timeout=5))
    Playbook(target) >> b"a\n" >> after(5) << HalfClose() >> eof << Close(CloseReason.REQUEST_TIMEOUT)


def test_silence_ends_what_is_taken_under_the_idle_framing() -> None:
    target = plan(rule(steps.take(Idle(0.2), "more"), say(template("<${vars.more}>"))))
    book = Playbook(target) >> b"a\nb" >> after(0.19) >> b"c\n" >> after(0.19)
    book.silent() >> after(0.01) << Send(b"<bc\n>")


def test_silence_does_not_end_what_is_taken_under_another_framing() -> None:
    script = (steps.take(LINE, "more"), say(template("<${vars.more}>")))
    book = Playbook(plan(rule(*script), framing=Idle(0.2), limits=Limits(request_timeout=3, idle_timeout=2)))
    book >> b"a" >> after(0.2) >> b"b" >> after(1)
    book.silent() >> b"c\n" << Send(b"<bc>")


def test_the_idle_clock_of_what_is_taken_begins_when_it_is_waited_for() -> None:
    script = (steps.delay_fixed(5), steps.take(LINE, "more"))
    book = Playbook(plan(rule(*script), limits=Limits(idle_timeout=6))) >> b"a\n" >> after(10.9)
    book.silent() >> after(0.1) << HalfClose() >> eof << Close(CloseReason.IDLE_TIMEOUT)


def test_the_peer_leaves_before_what_is_taken_has_come() -> None:
    book = Playbook(plan(rule(steps.take(LINE, "more"), say(b"x")))) >> b"a\nhal" >> eof << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 1


def test_a_rule_on_eof_has_its_say_instead_of_a_script_that_waits_for_a_frame() -> None:
    last = Rules([rule(say(b"bye\n"))])
    target = plan(rule(steps.take(LINE, "more"), say(b"x")), on_eof=last)
    Playbook(target) >> b"a\n" >> eof << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_nothing_can_be_taken_behind_the_peers_fin() -> None:
    last = Rules([rule(say(b"bye\n"), steps.take(LINE, "more"), say(b"x"))])
    Playbook(plan(on_eof=last)) >> eof << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_what_is_taken_may_be_there_already() -> None:
    nudge = Rules([rule(steps.take(Fixed(2), "half"), say(template("${vars.half}!")))])
    book = Playbook(plan(rule(say(template("<${request}>"))), limits=Limits(idle_timeout=1), on_idle=nudge))
    book >> b"abc" >> after(1) << Send(b"ab!") >> b"\n" << Send(b"<c>")


def test_the_time_of_a_request_begins_anew_behind_another_framing() -> None:
    target = plan(rule(steps.frame(Fixed(4)), say(b"ok\n")), limits=Limits(request_timeout=1))
    book = Playbook(target) >> b"a" >> after(0.9) >> b"\nrest"[:3] << Send(b"ok\n") >> after(0.9)
    book.silent() >> after(0.1) << HalfClose()


def test_a_rule_on_idle_acts_instead_of_the_close() -> None:
    nudge = Rules([rule(say(b"still there?\n"), place=9)])
    book = Playbook(plan(limits=Limits(idle_timeout=1), on_idle=nudge)) >> after(1) << Send(b"still there?\n")
    book >> after(0.9)
    book.silent() >> after(0.1) << Send(b"still there?\n")
    assert book.account.events == [9, 9]


def test_a_rule_on_idle_may_close() -> None:
    late = Rules([rule(say(b"too slow\n"), steps.close())])
    book = Playbook(plan(limits=Limits(idle_timeout=0.5), framing=UntilEof(), on_idle=late)) >> b"half a" >> after(0.5)
    book << Send(b"too slow\n") << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)


def test_a_rule_on_eof_has_a_last_word() -> None:
    last = Rules([rule(steps.delay_fixed(1), say(b"bye\n"))])
    book = Playbook(plan(rule(steps.echo()), on_eof=last)) >> b"a\nhalf" << Send(b"a") >> eof
    book.silent() >> after(1) << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_a_rule_on_eof_has_a_last_word_where_a_frame_was_still_to_be_taken() -> None:
    target = plan(rule(steps.take(LINE, "more"), say(b"never")), on_eof=Rules([rule(say(b"bye\n"))]))
    Playbook(target) >> b"a\n" >> eof << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_a_rule_on_drain_says_farewell() -> None:
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


def test_a_greeting_by_state_and_count() -> None:
    greeting = Rules([rule(say(b"first\n"), times=1, place=3), rule(say(b"hi\n"))])
    surroundings = Somewhere()
    target = plan(on_connect=greeting)
    Playbook(target, surroundings=surroundings) >> connected << Send(b"first\n")
    Playbook(target, surroundings=surroundings) >> connected << Send(b"hi\n")


def test_silence_ends_a_request_of_the_idle_framing() -> None:
    book = Playbook(plan(rule(steps.echo()), framing=Idle(0.2))) >> b"ab" >> after(0.1) >> b"cd" >> after(0.19)
    book.silent() >> after(0.01) << Send(b"abcd")
    book >> b"ef" >> eof << Send(b"ef") << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 0


def test_everything_until_eof_is_one_request() -> None:
    book = Playbook(plan(rule(say(template("got ${len:request}\n")), steps.close()), framing=UntilEof()))
    book >> b"one " >> b"two" >> eof << Send(b"got 7\n") << Close(CloseReason.SERVER_CLOSE)


def test_nothing_until_eof_is_no_request() -> None:
    Playbook(plan(rule(steps.echo()), framing=UntilEof())) >> eof << Close(CloseReason.PEER_EOF)


def test_an_impossible_frame_closes_behind_the_replies_before_it() -> None:
    framing = LengthPrefix(offset=0, width=1, little_endian=False, adjust=-1, strip=False)
    book = Playbook(plan(rule(steps.echo()), framing=framing)) >> b"\x02a\x00b" << Send(b"\x02a") << HalfClose()
    book >> eof << Close(CloseReason.MALFORMED_REQUEST)


def test_a_frame_too_long_is_seen_before_it_has_come() -> None:
    framing = LengthPrefix(offset=0, width=4, little_endian=False, adjust=0, strip=False)
    book = Playbook(plan(framing=framing)) >> b"\x7f\xff\xff\xff" << HalfClose()
    book >> eof << Close(CloseReason.REQUEST_TOO_LARGE)


def test_many_frames_of_a_fixed_size() -> None:
    Playbook(plan(rule(steps.echo()), framing=Fixed(4))) >> b"abcdefghij" << Send(b"abcdefgh") >> b"kl" << Send(b"ijkl")


def test_a_connection_that_is_over_lets_go_of_what_surrounded_it() -> None:
    book = Playbook(plan(rule(steps.echo()))) >> eof << Close(CloseReason.PEER_EOF)
    assert book.session._surroundings is None
