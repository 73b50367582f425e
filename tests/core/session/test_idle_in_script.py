"""IDLE while a script waits for a frame."""

import pytest

from answerback.core.actions import Close, CloseReason, HalfClose, Reset, Send
from answerback.core.plan import ListenerPlan
from answerback.language.lint import warnings
from tests.core.playbook import Playbook, after, eof
from tests.language.compiling import only
from tests.language.configurations import listener, said

SCRIPT = r"""
  - when: {regex: '^(?P<word>go)$'}
    do: [receive: {framing: line, into: x}, send: {template: "${request} ${word} ${vars.x}\n"}]
"""


def compiled(idle: str, more: str = "") -> ListenerPlan:
    return only(listener(f"framing: line\nlimits: {{idle_timeout: 2s}}\n{more}\nrules:\n{SCRIPT}{idle}"))


def test_idle_rule_acts_while_a_script_waits_for_a_frame_and_the_script_goes_on() -> None:
    book = Playbook(compiled('  - {event: IDLE, do: [send: "still there?\\n"]}\n')) >> b"go\nab"
    book >> after(1.9) >> after(0.1) << Send(b"still there?\n") >> after(1.9) >> after(0.1) << Send(b"still there?\n")
    book >> b"c\nmore\n" << Send(b"go go abc\n")
    assert (len(book.account.events), book.account.unmatched_requests) == (2, 1)


def test_idle_rule_may_close_or_reset_while_a_script_waits_for_a_frame() -> None:
    book = Playbook(compiled('  - {event: IDLE, do: [send: "bye\\n", close]}\n')) >> b"go\n" >> after(2)
    book << Send(b"bye\n") << HalfClose() >> b"late\n" >> eof << Close(CloseReason.SERVER_CLOSE)
    book = Playbook(compiled("  - {event: IDLE, do: [reset]}\n")) >> b"go\n" >> after(2)
    book << Reset(CloseReason.SERVER_RESET)


@pytest.mark.parametrize("step", ["delay: 1s", "state: x", "half_close", "receive: {framing: line}", "hang"])
def test_idle_rule_with_another_step_does_not_act_while_a_script_waits_for_a_frame(step: str) -> None:
    idle = f"  - {{event: IDLE, do: [send: no, {step}]}}\n"
    book = Playbook(compiled(idle)) >> b"go\n" >> after(2) << HalfClose() >> eof << Close(CloseReason.IDLE_TIMEOUT)
    assert book.account.events == []
    book = Playbook(compiled(idle + '  - {event: IDLE, do: [send: "yes"]}\n')) >> b"go\n" >> after(2) << Send(b"yes")
    assert len(book.account.events) == 1


def test_idle_rule_with_a_delayed_reply_lets_the_script_go_on_behind_it() -> None:
    late = "faults: [{latency: 500ms}]"
    book = Playbook(compiled('  - {event: IDLE, do: [send: "still?\\n"]}\n', late)) >> b"go\n" >> after(2)
    book >> b"abc\n" >> after(0.5) << Send(b"still?\n") >> after(0.5) << Send(b"go go abc\n")


def test_fin_during_a_delayed_reply_to_idle_ends_the_script_behind_it() -> None:
    late = "faults: [{latency: 500ms}]"
    book = Playbook(compiled('  - {event: IDLE, do: [send: "still?\\n"]}\n', late)) >> b"go\nab" >> after(2)
    book >> eof >> after(0.5) << Send(b"still?\n") << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 1


def test_idle_rule_that_is_used_up_leaves_the_script_to_the_timeout() -> None:
    book = Playbook(compiled("  - {event: IDLE, times: 1, do: [send: a]}\n")) >> b"go\n" >> after(2) << Send(b"a")
    book >> after(2) << HalfClose() >> eof << Close(CloseReason.IDLE_TIMEOUT)


def test_idle_rule_with_other_steps_in_a_listener_that_receives_gets_a_warning() -> None:
    def warned(rules: str) -> list[str]:
        return said(warnings(listener(f"framing: line\nrules: [{rules}]")))

    receives = "{do: [receive: {framing: line}]}"
    (warning,) = warned(f"{receives}, {{event: IDLE, do: [send: a, delay: 1s, state: '']}}")
    assert warning.startswith("listeners[0].rules[1].do[1]: because of this step, the rule does not act while")
    assert warned(f"{receives}, {{event: IDLE, do: [send: a, close]}}") == []
    assert warned("{do: [echo]}, {event: IDLE, do: [send: a, delay: 1s]}") == []
