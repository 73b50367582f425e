"""Logs why no rule matched a request of a listener, or why a frame was unexpected, in bounded time."""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeVar

from answerback.core.matching import Mismatch
from answerback.core.plan import ActivePlan
from answerback.core.recorder import Recorded

# Rule: the log has no bytes of a request.

EXPLAINED_SECONDS: Final = 0.01  # of each second, to explain why no rule matched a request, or a frame was unexpected

T = TypeVar("T")

log = logging.getLogger(__name__)


class MismatchLog:
    """Explains the mismatches of one listener."""

    def __init__(self, listener: str, active: ActivePlan) -> None:
        self._listener = listener
        self._active = active
        self._explained_since = 0.0
        self._explained_for = 0.0  # seconds that explanations took since then

    def unmatched(self, request: bytes, session: Recorded) -> bytes:
        """Return why no rule matched a request, and log it; empty if that took much time in this second already."""
        explained = self._active.plan.nearest
        if explained is None:
            return b""
        near = self._explained(lambda: explained.of(request, session.context))
        if near is None:
            return b""
        # Without the reason, which quotes the request.
        log.warning(
            "a request matched no rule",
            extra={"listener": self._listener, "nearest_rule": near.rule, "differs_at_byte": near.mismatch.at},
        )
        return str(near).encode()

    def unexpected(self, rule: str, explain: Callable[[], Mismatch], /) -> None:
        """See `host.Host`."""
        mismatch = self._explained(explain)
        log.warning(
            "a received frame is not what the rule expects, connection closed",
            extra={
                "listener": self._listener,
                "rule": rule,
                "differs_at_byte": None if mismatch is None else mismatch.at,
            },
        )

    def _explained(self, explain: Callable[[], T]) -> T | None:
        """Return an explanation; None if explanations took much time in this second already."""
        now = monotonic()
        if now - self._explained_since > 1.0:
            self._explained_since, self._explained_for = now, 0.0
        if self._explained_for > EXPLAINED_SECONDS:
            return None
        explanation = explain()
        self._explained_for += monotonic() - now
        return explanation
