"""How a session splits bytes: another framing in the middle, frames of a `receive` step, the end of a request."""

import pytest

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.framing import Delimiter, Fixed, Idle, LengthPrefix, UntilEof
from answerback.core.plan import Limits
from answerback.core.selection import Rules
from answerback.core.session.reader import MAX_EMPTY_REQUESTS
from tests.core.plans import LINE, plan, rule, say, size, template
from tests.core.playbook import Playbook, after, eof


def test_set_framing_step_applies_to_bytes_after_its_request() -> None:
    target = plan(
        rule(
            say(b"go\n"),
            steps.set_framing(Delimiter(b".", keep=False)),
            steps.state("data"),
            when=b"DATA",
            in_states=("",),
        ),
        rule(say(template("${len(request)}\n")), steps.set_framing(LINE), steps.state(""), in_states=("data",)),
        rule(say(b"?\n")),
    )
    Playbook(target) >> b"a\nDATA\none\ntwo.b\nDATA\n" << Send(b"?\ngo\n7\n?\ngo\n")
    Playbook(target) >> b"DATA\none" << Send(b"go\n") >> b"\ntwo" >> b".b\n" << Send(b"7\n?\n")


@pytest.mark.parametrize("count,body", [(3, b"a\nb"), (0, b"")])
def test_framing_of_a_computed_size_applies_to_one_request(count: int, body: bytes) -> None:
    target = plan(
        rule(say(template("body ${request}\n")), steps.state(""), in_states=("body",)),
        rule(say(b"line\n"), when=b"x"),
        rule(steps.set_framing_of_size(size("int(request)")), steps.state("body")),
    )
    whole = str(count).encode() + b"\n" + body
    book = Playbook(target) >> whole << Send(b"body " + body + b"\n") >> b"x\n" << Send(b"line\n")
    book >> whole + b"x\nx\n" << Send(b"body " + body + b"\nline\nline\n")
    assert len(book.account.rules) == 7


@pytest.mark.parametrize("pause", [(), (steps.delay_fixed(0.01),)])
def test_endless_empty_requests_close_the_connection(pause: tuple[steps.Step, ...]) -> None:
    book = Playbook(plan(rule(*pause, steps.set_framing_of_size(size("0")), steps.discard()))) >> b"x\n"
    if pause:
        book >> after(1)
    book << HalfClose() >> eof << Close(CloseReason.MALFORMED_REQUEST)
    assert len(book.account.rules) == 1 + MAX_EMPTY_REQUESTS


def test_empty_requests_between_others_are_not_limited() -> None:
    target = plan(
        rule(say(b"."), steps.state(""), in_states=("body",)),
        rule(steps.state("body"), steps.set_framing_of_size(size("0"))),
    )
    Playbook(target) >> b"\n" * 3 * MAX_EMPTY_REQUESTS << Send(b"." * 3 * MAX_EMPTY_REQUESTS)


def test_size_that_is_no_number_closes_as_malformed() -> None:
    book = Playbook(plan(rule(steps.set_framing_of_size(size("int(request)"))))) >> b"x\n" << HalfClose()
    book >> eof << Close(CloseReason.MALFORMED_REQUEST)


def test_receive_step_reads_a_body_within_a_script() -> None:
    script = (steps.receive_of_size(size("int(request)"), "body"), say(template("got ${vars.body}\n")))
    target = plan(rule(say(b"line\n"), when=b"x"), rule(*script))
    Playbook(target) >> b"3\na\nbx\n0\nx\n" << Send(b"got a\nb\nline\ngot \nline\n")
    book = Playbook(target) >> b"3\na" >> b"\n"
    book.silent() >> b"bx\n" << Send(b"got a\nb\nline\n")
    assert len(book.account.rules) == 2


def test_receive_step_uses_its_own_framing() -> None:
    script = (say(b"more?\n"), steps.receive(LINE, "more"), say(template("${request}+${vars.more}\n")))
    book = Playbook(plan(rule(*script))) >> b"a\n" << Send(b"more?\n")
    book >> after(1) >> b"b\nc\nd\n" << Send(b"a+b\nmore?\nc+d\n")


def test_receive_step_past_request_timeout_closes() -> None:
    target = plan(rule(steps.receive(LINE, "more")), limits=Limits(request_timeout=5))
    Playbook(target) >> b"a\n" >> after(5) << HalfClose() >> eof << Close(CloseReason.REQUEST_TIMEOUT)


def test_receive_step_with_idle_framing_ends_at_the_gap() -> None:
    target = plan(rule(steps.receive(Idle(0.2), "more"), say(template("<${vars.more}>"))))
    book = Playbook(target) >> b"a\nb" >> after(0.19) >> b"c\n" >> after(0.19)
    book.silent() >> after(0.01) << Send(b"<bc\n>")


def test_receive_step_with_line_framing_does_not_end_at_a_gap() -> None:
    script = (steps.receive(LINE, "more"), say(template("<${vars.more}>")))
    book = Playbook(plan(rule(*script), framing=Idle(0.2), limits=Limits(request_timeout=3, idle_timeout=2)))
    book >> b"a" >> after(0.2) >> b"b" >> after(1)
    book.silent() >> b"c\n" << Send(b"<bc>")


def test_receive_step_idle_clock_begins_when_it_waits() -> None:
    script = (steps.delay_fixed(5), steps.receive(LINE, "more"))
    book = Playbook(plan(rule(*script), limits=Limits(idle_timeout=6))) >> b"a\n" >> after(10.9)
    book.silent() >> after(0.1) << HalfClose() >> eof << Close(CloseReason.IDLE_TIMEOUT)


def test_receive_step_incomplete_at_eof_is_truncated() -> None:
    book = (
        Playbook(plan(rule(steps.receive(LINE, "more"), say(b"x")))) >> b"a\nhal" >> eof << Close(CloseReason.PEER_EOF)
    )
    assert book.account.truncations == 1


def test_eof_rule_replaces_a_script_that_waits_in_a_receive_step() -> None:
    last = Rules([rule(say(b"bye\n"))])
    target = plan(rule(steps.receive(LINE, "more"), say(b"x")), on_eof=last)
    Playbook(target) >> b"a\n" >> eof << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_receive_step_after_fin_ends_the_connection() -> None:
    last = Rules([rule(say(b"bye\n"), steps.receive(LINE, "more"), say(b"x"))])
    Playbook(plan(on_eof=last)) >> eof << Send(b"bye\n") << Close(CloseReason.PEER_EOF)


def test_receive_step_takes_bytes_that_arrived_before() -> None:
    nudge = Rules([rule(steps.receive(Fixed(2), "half"), say(template("${vars.half}!")))])
    book = Playbook(plan(rule(say(template("<${request}>"))), limits=Limits(idle_timeout=1), on_idle=nudge))
    book >> b"abc" >> after(1) << Send(b"ab!") >> b"\n" << Send(b"<c>")


def test_request_timeout_restarts_after_a_new_framing() -> None:
    target = plan(rule(steps.set_framing(Fixed(4)), say(b"ok\n")), limits=Limits(request_timeout=1))
    book = Playbook(target) >> b"a" >> after(0.9) >> b"\nrest"[:3] << Send(b"ok\n") >> after(0.9)
    book.silent() >> after(0.1) << HalfClose()


def test_idle_gap_ends_a_request_of_the_idle_framing() -> None:
    book = Playbook(plan(rule(steps.echo()), framing=Idle(0.2))) >> b"ab" >> after(0.1) >> b"cd" >> after(0.19)
    book.silent() >> after(0.01) << Send(b"abcd")
    book >> b"ef" >> eof << Send(b"ef") << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 0


def test_until_eof_framing_answers_one_request_at_eof() -> None:
    book = Playbook(plan(rule(say(template("got ${len(request)}\n")), steps.close()), framing=UntilEof()))
    book >> b"one " >> b"two" >> eof << Send(b"got 7\n") << Close(CloseReason.SERVER_CLOSE)


def test_until_eof_framing_without_bytes_answers_nothing() -> None:
    Playbook(plan(rule(steps.echo()), framing=UntilEof())) >> eof << Close(CloseReason.PEER_EOF)


def test_malformed_frame_closes_after_the_earlier_replies() -> None:
    framing = LengthPrefix(width=1, adjust=-1)
    book = Playbook(plan(rule(steps.echo()), framing=framing)) >> b"\x02a\x00b" << Send(b"\x02a") << HalfClose()
    book >> eof << Close(CloseReason.MALFORMED_REQUEST)


def test_frame_with_too_large_length_closes_before_it_arrives() -> None:
    framing = LengthPrefix(width=4)
    book = Playbook(plan(framing=framing)) >> b"\x7f\xff\xff\xff" << HalfClose()
    book >> eof << Close(CloseReason.REQUEST_TOO_LARGE)


def test_fixed_framing_splits_a_stream_into_requests() -> None:
    Playbook(plan(rule(steps.echo()), framing=Fixed(4))) >> b"abcdefghij" << Send(b"abcdefgh") >> b"kl" << Send(b"ijkl")


def test_receive_step_timeout_is_not_restarted_by_each_piece() -> None:
    target = plan(rule(steps.receive(LINE, "more")), limits=Limits(request_timeout=5))
    book = Playbook(target) >> b"a\n" >> after(1) >> b"b" >> after(3) >> b"c" >> after(0.75)
    book.silent() >> after(0.25) << HalfClose()
