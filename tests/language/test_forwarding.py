"""Replies of an upstream: their framing, rules on REPLY, and what these can use."""

import pytest

from answerback.core import steps
from answerback.core.framing import Fixed, HttpReplies, Line, RespReplies
from answerback.language.check import check
from answerback.language.lint import warnings
from tests.language.compiling import only
from tests.language.configurations import listener, said


def framed(rules: str, upstream: str = "framing: line") -> str:
    return f"framing: line\nupstream: {{address: 'a:1', {upstream}}}\nrules: [{rules}]"


def test_framing_and_rules_on_replies_are_valid_and_cause_no_warning() -> None:
    """Nothing overtakes: so there is no warning for a local answer."""
    config = listener(
        framed("{when: PING, do: [echo]}, {event: REPLY, when: {prefix: x}, extra: true, do: [delay: 1s, forward]}")
    )
    assert check(config, {}) == []
    assert warnings(config) == []
    plan = only(config)
    assert plan.upstream is not None
    assert (plan.upstream.framing, plan.upstream.max_reply_bytes) == (Line(), 1 << 20)
    (rule,) = plan.on_reply.in_order
    assert rule.extra
    assert rule.steps[1] is steps.pass_reply()
    assert not plan.streams


def test_rules_on_replies_alone_are_rules() -> None:
    assert not only(listener(framed("{event: REPLY, do: [forward]}"))).streams


@pytest.mark.parametrize(
    "text, framing",
    [
        ("resp", RespReplies()),
        ("http", HttpReplies()),
        ("{fixed: {size: 4}}", Fixed(4)),
        ("{line: {keep_ending: true}}", Line(keep_ending=True)),
    ],
)
def test_framing_of_replies_is_compiled(text: str, framing: object) -> None:
    plan = only(listener(framed("{when: PING, do: [echo]}", f"framing: {text}, max_reply_bytes: 5")))
    assert plan.upstream is not None
    assert (plan.upstream.framing, plan.upstream.max_reply_bytes) == (framing, 5)


def test_forward_waits_only_if_steps_follow() -> None:
    plan = only(listener(framed("{when: a, do: [forward, echo]}, {when: b, do: [echo, forward]}")))
    first, second = plan.on_request.in_order
    assert (first.steps[0], second.steps[1]) == (steps.forward(waits=True), steps.forward())
    assert not first.only_forwards
    assert not second.only_forwards


@pytest.mark.parametrize(
    "text, problem",
    [
        (
            "framing: line\nupstream: {address: 'a:1', framing: {http: {head_first: true}}}\nrules: [{do: [forward]}]",
            "upstream.framing.http: not for the replies of an upstream: a response is one reply; remove head_first",
        ),
        (
            "framing: line\nupstream: {address: 'a:1', framing: websocket}\nrules: [{do: [forward]}]",
            (
                "upstream.framing.websocket: not for the replies of an upstream: a server's frames are not masked, and "
                "begin behind its HTTP response"
            ),
        ),
        (
            "upstream: {address: 'a:1', framing: line}",
            "upstream.framing: only with rules that see what passes: without, bytes are passed on as they come",
        ),
        (
            "upstream: {address: 'a:1', framing: line}\nrules: [{do: [forward]}]",
            "upstream.framing: only with the listener's own framing: one reply is owed for each of its requests",
        ),
        (
            "framing: line\nupstream: {address: 'a:1', max_reply_bytes: 5}\nrules: [{do: [forward]}]",
            "upstream.max_reply_bytes: only with framing: without, there are no replies",
        ),
        (
            framed("{do: [forward]}", "framing: line, max_reply_bytes: 0"),
            "upstream.max_reply_bytes: must be 1 to 67108864, not 0",
        ),
        ("rules: [{event: REPLY}]", "rules[0].event: the listener has no upstream"),
        (
            "upstream: 'a:1'\nrules: [{event: REPLY}]",
            "rules[0].event: only with upstream.framing: without, there are no replies",
        ),
        ("rules: [{extra: true}]", "rules[0].extra: only rules on REPLY have it: write event: REPLY"),
        (framed("{event: REPLY, do: [forward, forward]}"), "rules[0].do[1].forward: a reply is forwarded once"),
        (
            framed("{event: REPLY, do: [receive: {framing: line}]}"),
            (
                "rules[0].do[0].receive: not in a rule on REPLY: the client's next frame may be a request; use it "
                "in the rule that forwards"
            ),
        ),
        (
            framed("{event: REPLY, do: [framing: line]}"),
            (
                "rules[0].do[0].framing: not in a rule on REPLY: it would be that of the client's requests, which "
                "may have come already"
            ),
        ),
        (
            framed("{event: REPLY, do: [respond: 200]}"),
            "rules[0].do[0].respond: not in a rule on REPLY: it answers a request; use send",
        ),
        (
            framed("{do: [send: {template: '${reply}'}]}"),
            "rules[0].do[0].send.template: reply is only known in rules on REPLY (at character 3)",
        ),
    ],
)
def test_field_or_step_that_cannot_be_is_rejected(text: str, problem: str) -> None:
    (found,) = said(check(listener(text), {}))
    assert found == f"listeners[0].{problem}"


def test_pattern_on_replies_is_held_to_the_longest_reply() -> None:
    pattern = "(a?){900}b"
    assert said(check(listener(framed(f"{{event: REPLY, when: {{regex: '{pattern}'}}}}")), {})) != []
    short = framed(f"{{event: REPLY, when: {{regex: '{pattern}'}}}}", "framing: line, max_reply_bytes: 1000")
    assert check(listener(short), {}) == []


def test_names_of_the_upstreams_framing_are_those_of_rules_on_replies() -> None:
    text = (
        "framing: line\nupstream: {address: 'a:1', framing: {length_prefix: {width: 2}}}\n"
        "rules: [{event: REPLY, do: [send: {template: '${frame.body}'}]}, "
        "{do: [send: {template: '${frame.body}'}]}]"
    )
    (found,) = said(check(listener(text), {}))
    assert found.startswith("listeners[0].rules[1].do[0].send.template: unknown name 'frame.body'")
