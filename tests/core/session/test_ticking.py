"""Rules on TICK: a clock beside the conversation."""

import pytest

from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.plan import ListenerPlan, Rule, Tick
from answerback.core.selection import Rules
from answerback.core.session.ticking import Ticking
from answerback.language.check import check
from answerback.language.lint import warnings
from tests.core.playbook import Happening, Playbook, after, connected, drain, eof
from tests.language.compiling import only
from tests.language.configurations import listener, said

BEAT = Send(b"beat\n")
AFTER_250_MS = pytest.mark.parametrize(
    "event, idle_timeout", [("event: TICK, interval: 250ms", "60s"), ("event: IDLE", "250ms")], ids=["TICK", "IDLE"]
)


def compiled(rules: str, more: str = "") -> ListenerPlan:
    return only(listener(f"framing: line\n{more}\nrules:\n{rules}"))


BEATS = r"""
  - {event: TICK, interval: 250ms, do: [send: "beat\n"]}
  - {when: slow, do: [delay: 625ms, send: "slow\n"]}
  - {do: [send: "ok\n"]}
"""


def test_tick_comes_on_its_grid_whatever_the_peer_sends() -> None:
    book = Playbook(compiled(BEATS)) >> connected >> after(0.1875) >> b"a\n" << Send(b"ok\n") >> after(0.0625) << BEAT
    book >> after(0.125) >> b"b\n" << Send(b"ok\n") >> after(0.0625)
    book >> after(0.0625) << BEAT >> after(0.25) << BEAT
    assert len(book.account.events) == 3


@AFTER_250_MS
def test_framing_that_an_event_sets_applies_to_bytes_that_wait(event: str, idle_timeout: str) -> None:
    rules = f"[{{{event}, do: [framing: line]}}, {{do: [echo]}}]"
    limits = f"{{idle_timeout: {idle_timeout}}}"
    (
        Playbook(only(listener(framing='{delimiter: ";"}', limits=limits, rules=rules)))
        >> b"a\n"
        >> after(0.25)
        << Send(b"a")
    )


@pytest.mark.parametrize("size, answers", [(0, [b"<>", b"<ab>"]), (1, [b"<a>", b"<b>"])])
def test_framing_for_one_request_that_is_set_twice_is_for_one(size: int, answers: list[bytes]) -> None:
    step = f"framing: {{fixed: {{size_from: '{size}'}}}}"
    rules = f"[{{event: TICK, interval: 250ms, do: [{step}, {step}]}}, {{do: [send: {{template: '<${{request}}>'}}]}}]"
    book = Playbook(only(listener(framing="line", rules=rules))) >> b"ab" >> after(0.25)
    book << Send(answers[0]) >> b"\n" << Send(answers[1])


@AFTER_250_MS
def test_frame_that_an_event_waits_for_may_be_in_bytes_that_wait(event: str, idle_timeout: str) -> None:
    rules = f"[{{{event}, do: [receive: {{framing: line, into: x}}, send: {{template: '${{vars.x}}'}}]}}]"
    limits = f"{{idle_timeout: {idle_timeout}}}"
    (
        Playbook(only(listener(framing='{delimiter: ";"}', limits=limits, rules=rules)))
        >> b"a\n"
        >> after(0.25)
        << Send(b"a")
    )


def test_time_for_a_frame_that_a_tick_waits_for_begins_with_the_wait() -> None:
    rules = "[{event: TICK, interval: 250ms, do: [receive: {framing: line}]}]"
    limits = "{request_timeout: 375ms}"
    book = Playbook(only(listener(framing='{delimiter: ";"}', limits=limits, rules=rules))) >> b"a" >> after(0.25)
    book >> after(0.25) >> after(0.125) << HalfClose() >> eof << Close(CloseReason.REQUEST_TIMEOUT)


def test_gap_of_a_framing_that_a_tick_sets_counts_from_the_last_byte() -> None:
    rules = "[{event: TICK, interval: 250ms, do: [framing: {idle: {gap: 20ms}}]}, {do: [echo]}]"
    book = Playbook(only(listener(framing="line", rules=rules))) >> b"a"
    book >> after(0.25) << Send(b"a")  # 230 ms after the gap


def test_ticks_due_during_a_reply_are_one_behind_it_and_before_the_next_request() -> None:
    book = Playbook(compiled(BEATS)) >> after(0.125) >> b"slow\nnext\n" >> after(0.5)
    book >> after(0.125) << Send(b"slow\n") << BEAT << Send(b"ok\n")
    book >> after(0.25) << BEAT  # at 1.0


def test_each_tick_rule_has_its_own_clock_and_its_own_conditions() -> None:
    rules = r"""
  - {event: TICK, interval: 375ms, times: 1, scope: CONNECTION, do: [send: "a"]}
  - {event: TICK, interval: 250ms, in_states: ["on"], do: [send: "b"]}
  - {event: TICK, interval: 250ms, when: {expr: "vars.x != ''"}, do: [send: "c"]}
  - {when: go, do: [state: "on"]}
  - {do: [set: {name: x, value: y}]}
"""
    book = Playbook(compiled(rules)) >> after(0.25) >> after(0.125) << Send(b"a") >> b"go\n" >> after(0.125)
    book << Send(b"b") >> b"x\n" >> after(0.25) << Send(b"b") << Send(b"c") >> after(0.125) >> after(0.125)
    book << Send(b"b") << Send(b"c")


def test_tick_does_not_restart_the_idle_timeout() -> None:
    rules = '  - {event: TICK, interval: 375ms, do: [send: "t", delay: 125ms, send: "u"]}\n'
    book = Playbook(compiled(rules, "limits: {idle_timeout: 1s}")) >> after(0.5) << Send(b"t") << Send(b"u")
    book >> after(0.375) << Send(b"t") << Send(b"u") >> after(0.125) << HalfClose() >> eof
    book << Close(CloseReason.IDLE_TIMEOUT)


def test_tick_may_close_and_none_follows_the_end() -> None:
    book = Playbook(compiled('  - {event: TICK, interval: 250ms, do: [send: "bye", close]}\n')) >> after(0.25)
    book << Send(b"bye") << HalfClose() >> after(0.5) >> eof << Close(CloseReason.SERVER_CLOSE)


def test_no_tick_follows_a_half_close() -> None:
    rules = '  - {event: TICK, interval: 250ms, do: [send: "t"]}\n  - {do: [half_close]}\n'
    book = Playbook(compiled(rules)) >> b"a\n" << HalfClose() >> after(1)
    book >> eof << Close(CloseReason.PEER_EOF)
    assert book.account.events == []


@pytest.mark.parametrize("end, reason", [(eof, CloseReason.PEER_EOF), (drain, CloseReason.DRAIN)])
def test_no_tick_follows_the_rule_on_eof_or_drain(end: Happening, reason: CloseReason) -> None:
    rules = BEATS + "  - {event: EOF, do: [delay: 1s]}\n  - {event: DRAIN, do: [delay: 1s]}\n"
    book = Playbook(compiled(rules)) >> end >> after(0.875) >> after(0.125)
    if reason is CloseReason.DRAIN:
        book << HalfClose() >> eof
    book << Close(reason)


def test_tick_waits_while_a_script_waits_for_a_frame() -> None:
    rules = BEATS + "  - {event: CONNECT, do: [receive: {framing: line}, send: in]}\n"
    book = Playbook(compiled(rules)) >> connected >> after(0.625) >> b"x\n" << Send(b"in") << BEAT
    book >> after(0.125) << BEAT


def test_tick_waits_until_the_kernel_has_taken_the_reply() -> None:
    book = Playbook(compiled(BEATS), room=1) >> b"a\n" << Send(b"ok\n") >> after(0.625)
    book.read() << BEAT
    book >> after(0.125) << BEAT


def test_tick_follows_a_changed_plan() -> None:
    book = Playbook(compiled(BEATS)) >> after(0.25) << BEAT
    book.active.plan = compiled('  - {event: TICK, interval: 375ms, do: [send: "new"]}\n')
    book >> after(0.25) >> after(0.25) << Send(b"new") >> after(0.375) << Send(b"new")
    book.active.plan = compiled("  - {do: [send: none]}\n")
    book >> after(1)


def test_connection_without_tick_rules_gets_them_from_its_next_request_on() -> None:
    book = Playbook(compiled("  - {do: [send: none]}\n")) >> after(0.375)
    book.active.plan = compiled(BEATS)
    book >> b"a\n" << Send(b"ok\n") >> after(0.125) << BEAT


def test_connection_without_tick_rules_has_no_clock() -> None:
    assert Playbook(compiled("  - {do: [echo]}\n")).session.ticking is None


@pytest.mark.parametrize("began", [0.0, 0.1, 1e6 + 0.3, 123456.789])
def test_points_of_the_grid_never_repeat_and_never_come_early(began: float) -> None:
    ticking = Ticking([Tick(0.1, Rules([Rule("r", 0)]))], began, began)
    for number in range(1, 2000):
        assert ticking.due == pytest.approx(began + number * 0.1)
        before = ticking.due
        ticking.take(ticking.due)
        assert ticking.due > before


def test_tick_without_interval_and_interval_without_tick_are_rejected() -> None:
    def problems(fields: str) -> list[str]:
        return [line.removeprefix("listeners[0].rules[0].") for line in said(check(listener(f"rules: [{fields}]"), {}))]

    assert problems("{event: TICK, interval: 10ms}") == problems("{event: TICK, interval: 1h}") == []
    assert problems("{event: TICK}") == ["interval: missing: a rule on TICK needs one, like 200ms"]
    assert problems("{event: TICK, interval: 0}") == ["interval: at least 10ms"]
    assert problems("{event: TICK, interval: 9ms}") == ["interval: must be at least 10ms, not 9ms"]
    assert problems("{event: TICK, interval: 1h1s}") == ["interval: must be 0 to 1h, not 1h1s"]
    assert problems("{interval: 1s}") == ["interval: only rules on TICK have one: write event: TICK"]
    (problem,) = problems('{event: TICK, interval: 1s, do: [send: {template: "${request}"}]}')
    assert problem.startswith("do[0].send.template: TICK has no request")


def test_tick_rules_do_not_hide_each_other() -> None:
    rules = "{event: TICK, interval: 1s, do: [send: a]}, {event: TICK, interval: 2s, do: [send: b]}"
    assert warnings(listener(f"rules: [{rules}]")) == []
