"""Marks: moments of this run of the server, as opaque tokens; and the clock that they and the exchanges share."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

EPOCH: Final = datetime.fromtimestamp(0, UTC)
MAX_LENGTH: Final = 128  # characters of a token that is looked at


class StaleMark(Exception):
    """The text is not a mark of this run of the server."""

    def __init__(self) -> None:
        super().__init__("not a mark of this run of the server: create a new one")


class JournalClock:
    """The monotonic clock of the records, shown as wall time by one offset: that of the start."""

    def __init__(self, instance: str) -> None:
        """`instance` identifies this run."""
        self._instance = instance
        self._offset = (datetime.now(UTC) - EPOCH).total_seconds() - monotonic()

    def wall(self, seconds: float) -> datetime:
        """Return the wall time of a record's time."""
        return EPOCH + timedelta(seconds=self._offset + seconds)

    def mark(self) -> tuple[str, float]:
        """Return a mark of this moment, and the moment."""
        now = monotonic()
        return urlsafe_b64encode(f"{self._instance} {now!r}".encode()).decode(), now

    def since(self, mark: str) -> float:
        """Return the moment of a mark; the beginning for an empty one. Raises StaleMark."""
        if not mark:
            return 0.0
        try:
            instance, _, moment = urlsafe_b64decode(mark[:MAX_LENGTH].encode()).decode().partition(" ")
            seconds = float(moment)
        except ValueError:
            raise StaleMark from None
        if instance != self._instance or not seconds >= 0:
            raise StaleMark
        return seconds
