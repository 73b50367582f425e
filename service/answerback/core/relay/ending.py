"""The connection of a relay with rules to its upstream, and how its conversation ends."""

from enum import Enum
from typing import NamedTuple

from answerback.core.actions import CloseReason
from answerback.core.session import Session


class Link(Enum):
    """The connection to the upstream."""

    ABSENT = "there is none"
    AWAITED = "it is being made"
    OPEN = "it was made"


class How(Enum):
    """How the conversation ends."""

    AS_STREAM = "its rest is a stream"
    IN_ORDER = "both sides are closed in order"
    BY_RESET = "both sides are reset"


class Ending(NamedTuple):
    """The end of the conversation, once everything before it is in the kernel."""

    how: How
    reason: CloseReason
    session: Session
