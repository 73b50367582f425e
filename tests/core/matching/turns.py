"""Evaluate a match as a session does."""

from answerback.core.matching import Matcher
from tests.core.turns import MadeUp


def asked(matches: Matcher, request: bytes, turn: MadeUp | None = None) -> bool:
    """Whether it matches."""
    turn = turn or MadeUp()
    turn.request = request
    answer = matches(request, turn)
    assert answer is True or answer is False
    return answer
