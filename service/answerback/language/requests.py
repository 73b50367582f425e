"""The requests of a listener: their length, what their framings know of them, and how long a search may take."""

from math import ceil
from typing import Final

from answerback.core import patterns
from answerback.language.expressions import FramingField, Scope
from answerback.language.framing import provided_by, provided_in_replies
from answerback.language.framing.read import DEFAULT_READ_BYTES
from answerback.language.limits import compile_limits
from answerback.language.problems import Problems, step_into
from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1

MAX_REPLY_BYTES: Final = 1 << 20


def longest_request(listener: v1.Listener) -> int:
    """The bytes of the longest request that a listener's rules may see."""
    most = max(1, compile_limits(listener.limits).max_request_bytes)
    if any(isinstance(message, v1.Step) and _reads_otherwise(message) for _, message in messages(listener)):
        return most
    kind = listener.framing.WhichOneof("kind") or "read"
    if kind == "read":
        most = min(most, listener.framing.read.max_bytes or DEFAULT_READ_BYTES)
    elif kind == "fixed":
        most = min(most, listener.framing.fixed.size)
    return max(1, most)


def longest_reply(listener: v1.Listener) -> int:
    """The bytes of the longest reply that rules on REPLY may see."""
    return compile_max_reply_bytes(listener.upstream)


def compile_max_reply_bytes(given: v1.Upstream) -> int:
    """The longest reply, its default filled in."""
    return given.max_reply_bytes if given.HasField("max_reply_bytes") else MAX_REPLY_BYTES


def _reads_otherwise(step: v1.Step) -> bool:
    """Whether conditions see what a framing other than the listener's has split."""
    return step.WhichOneof("kind") == "framing" or step.receive.HasField("expect")


def fields_of(listener: v1.Listener) -> dict[str, FramingField]:
    """The names that the framings of a listener provide for expressions."""
    steps = (message for _, message in messages(listener) if isinstance(message, v1.Step))
    later = [step.framing for step in steps if step.WhichOneof("kind") == "framing"]
    return {field.name: field for framing in (listener.framing, *later) for field in provided_by(framing)}


def scope_of(listener: v1.Listener) -> Scope:
    """The names that the expressions of all rules of a listener share."""
    given = frozenset(field.name for field, _ in listener.ListFields())
    replies = {field.name: field for field in provided_in_replies(listener.upstream.framing)}
    return Scope(fields=fields_of(listener), reply_fields=replies, listener_fields=given)


def check_searches(rule: v1.Rule, path: str, request_bytes: int, problems: Problems) -> None:
    """Report patterns that may search a request of this length for seconds: one search cannot be interrupted."""
    most = patterns.most_instructions(request_bytes)
    for here, message in messages(rule, path):
        if not isinstance(message, v1.Match) or message.WhichOneof("kind") != "regex":
            continue
        cost = _cost(message.regex)
        if cost > most:
            problems.add(
                step_into(here, "regex"),
                f"counts as {ceil(cost)} RE2 instructions (more than it has if it has groups): with requests of up to "
                f"{request_bytes} bytes it may be {most}, so that no request takes seconds. Shorten it, write several "
                f"rules, or set limits.max_request_bytes to {max(1, int(patterns.MAX_SEARCH / cost))}",
            )


def _cost(pattern: str) -> float:
    try:
        return patterns.search_cost(pattern)
    except patterns.PatternError:
        return 0  # reported already
