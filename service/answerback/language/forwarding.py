"""Requests that are forwarded and their replies: what may be wrong with the rules and fields that concern them."""

from answerback.language.context import Checking, Linting
from answerback.language.framing import check_reply_framing
from answerback.language.problems import step_into
from answerback.language.rules import event_without_request, scripts
from answerback.language.steps import STEPS
from answerback.v1 import config_pb2 as v1


def check_replies(listener: v1.Listener, path: str, checking: Checking, *, streams: bool) -> None:
    """Report what is wrong with the framing of replies; `path` is that of the upstream."""
    given, at = listener.upstream, step_into(path, "framing")
    if not given.HasField("framing"):
        if given.HasField("max_reply_bytes"):
            checking.add(step_into(path, "max_reply_bytes"), "only with framing: without, there are no replies")
        return
    check_reply_framing(given.framing, at, checking)
    if streams:
        checking.add(at, "only with rules that see what passes: without, bytes are passed on as they come")
    elif not listener.HasField("framing"):
        checking.add(at, "only with the listener's own framing: one reply is owed for each of its requests")


def check_forwarding(listener: v1.Listener, path: str, checking: Checking) -> None:
    """Report steps and events that need an upstream where there is none, and steps that cannot be taken beside one."""
    upstream = listener.HasField("upstream")
    for index, rule in enumerate(listener.rules):
        here = f"{path}.rules[{index}]"
        _check_event(listener, rule, f"{here}.event", checking)
        for place, script in scripts(rule, here):
            forwards = [number for number, step in enumerate(script) if step.WhichOneof("kind") == "forward"]
            for number in forwards:
                if not upstream:
                    checking.add(f"{place}[{number}].forward", "the listener has no upstream")
                elif event_without_request(rule) is not None:
                    why = "only in rules on REQUEST and REPLY: there is nothing to forward"
                    checking.add(f"{place}[{number}].forward", why)
                elif number != forwards[0]:
                    what = "reply" if rule.event == v1.EVENT_REPLY else "request"
                    checking.add(f"{place}[{number}].forward", f"a {what} is forwarded once")
            for number, step in enumerate(script):
                if upstream and step.WhichOneof("kind") == "half_close":
                    why = "not with an upstream, whose replies could not be passed on: use close"
                    checking.add(f"{place}[{number}].half_close", why)


def _check_event(listener: v1.Listener, rule: v1.Rule, path: str, checking: Checking) -> None:
    if rule.event not in {v1.EVENT_UPSTREAM_DOWN, v1.EVENT_REPLY}:
        return
    if not listener.HasField("upstream"):
        checking.add(path, "the listener has no upstream")
    elif rule.event == v1.EVENT_REPLY and not listener.upstream.HasField("framing"):
        checking.add(path, "only with upstream.framing: without, there are no replies")


def lint_forwarding(listener: v1.Listener, linting: Linting) -> None:
    """Report that replies of rules may come before those of the upstream to earlier requests."""
    if not listener.HasField("upstream") or listener.upstream.HasField("framing"):
        return
    for index, rule in enumerate(listener.rules):
        if rule.event not in {v1.EVENT_UNSPECIFIED, v1.EVENT_REQUEST}:
            continue
        for path, script in scripts(rule, f"{linting.path}.rules[{index}]"):
            sending = next((number for number, step in enumerate(script) if _sends(step)), None)
            if sending is not None:
                why = (
                    "is sent at once: it may overtake what the upstream replies to an earlier request, if a client "
                    "sends several without waiting for replies; upstream.framing keeps the order"
                )
                linting.add(f"{path}[{sending}]", why)
                return


def _sends(step: v1.Step) -> bool:
    kind = STEPS.of(step)
    return kind is not None and kind.sends


def on_replies(listener: v1.Listener) -> bool:
    """Whether rules see what the upstream sends."""
    return any(rule.event == v1.EVENT_REPLY for rule in listener.rules)
