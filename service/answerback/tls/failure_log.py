"""Logs handshakes that have failed, without a line for each in a flood of them."""

import logging
from time import monotonic
from typing import Any, Final

LOGGED_SECONDS: Final = 1.0  # between two log lines

log = logging.getLogger(__name__)


class FailureLog:
    """The log lines of one listener."""

    __slots__ = ("_listener", "_logged_at", "_unlogged", "_what")

    def __init__(self, what: str, listener: str) -> None:
        self._what = what
        self._listener = listener
        self._logged_at = float("-inf")
        self._unlogged = 0

    def add(self, reason: str) -> None:
        """One has failed: log it, at most once in a second."""
        now = monotonic()
        if now - self._logged_at < LOGGED_SECONDS:
            self._unlogged += 1
            return
        more: dict[str, Any] = {"others_not_logged": self._unlogged} if self._unlogged else {}
        log.warning("%s: %s", self._what, reason, extra={"listener": self._listener, **more})
        self._logged_at, self._unlogged = now, 0
