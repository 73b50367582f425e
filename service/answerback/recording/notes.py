"""What the user has to know about a configuration that was made of a recording."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from answerback.core.escapes import quote
from answerback.recording.exchanges import Conversation, Exchange
from answerback.recording.rules import Rules

MAX_NOTES = 20


def notes_of(conversations: Sequence[Conversation], rules: Rules) -> list[str]:
    """Sentences about values that vary, and replies that were guessed. The most important ones, if they are many."""
    found = [*_guessed(conversations), *_varied(rules), *_values(conversations), *_other(conversations, rules)]
    if len(found) > MAX_NOTES:
        found[MAX_NOTES:] = [f"and {len(found) - MAX_NOTES} more notes of these kinds"]
    return found


def _guessed(conversations: Sequence[Conversation]) -> Iterator[str]:
    for conversation in conversations:
        for first, last in conversation.guessed:
            yield (
                f"connection {conversation.number}: requests {first} to {last} were sent together, and their replies "
                f"cannot be separated: all of them follow request {last}"
            )


def _varied(rules: Rules) -> Iterator[str]:
    for varied in rules.varied:
        what = f"the request {quote(varied.request)}" if varied.request else "the beginning of a connection"
        order = "the order of all connections" if varied.in_order else "that order on each connection"
        yield f"{what} got {varied.number} different replies: they are given in {order}"


def _values(conversations: Sequence[Conversation]) -> Iterator[str]:
    """Requests that have the same place in several connections, and differ in a part."""
    at: dict[int, list[Exchange]] = defaultdict(list)
    for conversation in conversations:
        for exchange in conversation.exchanges[1:]:
            at[exchange.number].append(exchange)
    for number, exchanges in at.items():
        first = exchanges[0]
        other = next((each for each in exchanges if each.request != first.request), None)
        if other is None:
            continue
        same = _common(first.request, other.request)
        if same * 2 >= min(len(first.request), len(other.request)):
            yield (
                f"request {number} differs from byte {same} on between connections {first.connection} and "
                f"{other.connection}: {quote(first.request)} and {quote(other.request)}. There is a rule for each; "
                "if the value is different each time, replace them by one with a pattern"
            )


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two requests begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _other(conversations: Sequence[Conversation], rules: Rules) -> Iterator[str]:
    if rules.silent:
        yield f"{rules.silent} different requests got no reply: they have no rule, and get none"
    if len(conversations) == 1:
        yield (
            "values that differ each time (a nonce, a key, the time) cannot be recognised in a single connection; "
            "record two to have them named"
        )
