"""What became of configurations: how many were put in force, how many were refused, and the last of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from answerback.config import Problem, Refused
from answerback.supervisor.outcomes import ChangeFailed
from answerback.supervisor.revisions import Revision
from answerback.supervisor.status import LastChange


class Record:
    """Kept from the start of the process."""

    def __init__(self) -> None:
        self.applied = 0
        self.refused = 0
        self.last_applied: LastChange | None = None
        self.last_refused: LastChange | None = None

    def took(self, revision: Revision) -> None:
        """A revision is in force."""
        self.applied += 1
        self.last_applied = LastChange(revision.time, revision.origin, revision.comment)

    @contextmanager
    def refusals(self, origin: str, comment: str) -> Iterator[None]:
        """Remember a refusal that is raised within."""
        try:
            yield
        except Refused as refused:
            self._refused(LastChange(datetime.now(UTC), origin, comment, refused.problems))
            raise
        except ChangeFailed as failure:
            self._refused(LastChange(datetime.now(UTC), origin, comment, [Problem("", str(failure))]))
            raise

    def _refused(self, change: LastChange) -> None:
        self.refused += 1
        self.last_refused = change
