"""Expressions that have no value while a conversation goes on: what is sent, and how the connection ends."""

import pytest

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.expressions import MAX_OUTPUT
from answerback.core.framing import Delimiter
from tests.core.plans import plan, rule, say, size, template
from tests.core.playbook import Playbook, after, eof
from tests.language.compiling import only
from tests.language.configurations import listener

FAILING = "${int(request)}\n"


@pytest.mark.parametrize(
    "step",
    [
        say(template(FAILING)),
        steps.set_variable("a", template(FAILING)),
        steps.dribble(template(FAILING), chunks=2, gap=1),
    ],
)
def test_step_without_a_value_ends_the_connection_as_failed(step: steps.Step) -> None:
    book = Playbook(plan(rule(say(b"first\n"), step, say(b"never\n"))))
    book >> b"x\n" << Send(b"first\n") << HalfClose() >> eof << Close(CloseReason.REPLY_FAILED)


def test_step_with_a_value_goes_on() -> None:
    Playbook(plan(rule(say(template("${int(request) + 1}\n"))))) >> b"41\n" << Send(b"42\n")


def test_step_that_fails_behind_a_delay_ends_the_connection() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(1), say(template(FAILING)))))
    book >> b"x\n" >> after(1) << HalfClose() >> eof << Close(CloseReason.REPLY_FAILED)


@pytest.mark.parametrize("step", [steps.set_framing_of_size, lambda text: steps.receive_of_size(text, "body")])
@pytest.mark.parametrize("text", ["int(request)", "len(request) - 9", "request[7]", "1 // len(vars.none)"])
def test_size_without_a_value_or_below_0_is_malformed(step: object, text: str) -> None:
    assert callable(step)
    book = Playbook(plan(rule(step(size(text)), say(b"never\n"))))
    book >> b"x\n" << HalfClose() >> eof << Close(CloseReason.MALFORMED_REQUEST)


def test_size_larger_than_a_request_is_too_large() -> None:
    book = Playbook(plan(rule(steps.set_framing_of_size(size("18446744073709551615")))))
    book >> b"x\n" >> b"y" << HalfClose() >> eof << Close(CloseReason.REQUEST_TOO_LARGE)


def test_reply_of_1_mib_is_sent() -> None:
    data = b"x" * (MAX_OUTPUT - 1)
    Playbook(plan(rule(say(template("${request}!"))), framing=Delimiter(b";"))) >> data + b";" << Send(data + b"!")


@pytest.mark.parametrize("text", ["${request}!", "${upper(request) + 'a'}", "${hex(request)}"])
def test_reply_longer_than_1_mib_is_too_large(text: str) -> None:
    book = Playbook(plan(rule(say(template(text))), framing=Delimiter(b";")))
    book >> b"x" * MAX_OUTPUT + b";" << HalfClose() >> eof << Close(CloseReason.REPLY_TOO_LARGE)


def test_condition_that_fails_passes_on_to_the_next_rule() -> None:
    target = only(
        listener(
            framing="line",
            rules="[{when: {expr: 'int(request) > 5'}, do: [send: big]}, {do: [send: other]}]",
        )
    )
    Playbook(target) >> b"6\n5\nx\n" << Send(b"big") << Send(b"other") << Send(b"other")


def test_condition_reads_what_the_connection_has_become() -> None:
    """Its reply is not remembered: the same bytes are answered otherwise in another state."""
    target = only(
        listener(
            framing="line",
            rules=(
                "[{when: {expr: \"request == 'ask' and state == 'in' and vars.user != ''\"}, do: [send: yes]},"
                " {when: login, do: [set: {name: user, value: ann}, state: in]}, {when: logout, do: [state: '']},"
                " {do: [send: no]}]"
            ),
        )
    )
    book = Playbook(target)
    for _ in range(3):
        book >> b"ask\n" << Send(b"no")
    book >> b"login\n" >> b"ask\n" << Send(b"yes") >> b"ask\n" << Send(b"yes")
    book >> b"logout\n" >> b"ask\n" << Send(b"no")


def test_rule_that_is_used_up_leaves_no_captures_behind() -> None:
    target = only(
        listener(
            framing="line",
            rules=(
                "[{times: 1, when: {regex: '(?P<a>x)(?P<b>y)?'}, do: [send: first]},"
                " {when: {any: [{regex: '(?P<b>w)'}, {all: [{regex: 'x'}, {prefix: x}]}]},"
                "  do: [send: {template: '<${b}>'}]}]"
            ),
        )
    )
    Playbook(target) >> b"xy\n" << Send(b"first") >> b"xy\n" << Send(b"<>")
