"""Which exchanges a call of the journal is about: arguments to messages."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from answerback.client.errors import rejected
from answerback.document.values import fill
from answerback.language.problems import Problem, step_into
from answerback.v1 import config_pb2, journal_service_pb2

Condition = bytes | str | Mapping[str, Any]
"""The bytes or the text that a request is equal to, or a condition as in YAML: `{"prefix": b"GET "}`."""

STATES: Final = ("IN_PROGRESS", "DONE", "ABANDONED")


class Filter(TypedDict, total=False):
    """Which exchanges: those that fulfil everything that is given."""

    listener: str
    rule: str
    """The rule that matched; needs `listener`."""
    connection: str
    peer: str
    match: Condition | None
    """A condition on the request."""
    unmatched: bool
    """Only requests that no rule matched."""
    faulted: bool
    """Only exchanges that a fault applied to."""
    state: str
    """`IN_PROGRESS`, `DONE` or `ABANDONED`."""
    since: str
    """A mark: see `create_mark`."""
    id: str


def filter_of(given: Filter) -> journal_service_pb2.ExchangeFilter:
    """Return the message. Raises ConfigRejected for a condition that is none, ValueError for another state."""
    plain: dict[str, Any] = {name: value for name, value in given.items() if name not in {"match", "state"}}
    message = journal_service_pb2.ExchangeFilter(**plain)
    if given.get("match") is not None:
        message.match.CopyFrom(condition(given["match"], "match"))
    if state := given.get("state"):
        if state not in STATES:
            raise ValueError(f"state is one of {', '.join(STATES)}, not {state!r}")
        message.state = journal_service_pb2.ExchangeState.Value(f"EXCHANGE_STATE_{state}")
    return message


def conditions(given: Sequence[Condition]) -> list[config_pb2.Match]:
    """Return conditions that are to hold in this order."""
    return [condition(each, f"in_order[{index}]") for index, each in enumerate(given)]


def condition(given: Condition | None, path: str) -> config_pb2.Match:
    """Return a condition. Raises ConfigRejected."""
    match = config_pb2.Match()
    problems = fill(match, given)
    if problems:
        raise rejected([Problem(step_into(path, each.path) if each.path else path, each.message) for each in problems])
    return match
