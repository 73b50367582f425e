"""What a match is."""

from collections.abc import Callable

from answerback.core.turn import Turn

Matcher = Callable[[bytes, Turn], bool]
"""Whether a rule is for this request, which is also its turn's."""
