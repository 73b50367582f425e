"""Statistics of configuration changes: how many were applied and rejected, and the last of each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor import audit
from answerback.supervisor.errors import ChangeFailed
from answerback.supervisor.revisions.store import Revision
from answerback.supervisor.status import LastChange


class ChangeStats:
    """The statistics since the process started."""

    def __init__(self) -> None:
        self.applied = 0
        self.rejected = 0
        self.last_applied: LastChange | None = None
        self.last_rejected: LastChange | None = None

    def applied_revision(self, revision: Revision, workers: int) -> None:
        """A revision is active, on this many workers."""
        self.applied += 1
        audit.note(
            f"revision {revision.number} is active",
            revision=revision.number,
            origin=revision.origin,
            comment=revision.comment,
            workers=workers,
        )
        self.last_applied = LastChange(revision.time, revision.origin, revision.comment)

    def confirmed(self, origin: str, comment: str) -> None:
        """A configuration equal to the active one was applied: the last rejection is obsolete."""
        self.last_applied = LastChange(datetime.now(UTC), origin, comment)

    @contextmanager
    def recording_rejection(self, origin: str, comment: str) -> Iterator[None]:
        """Record a rejection that is raised within the block."""
        try:
            yield
        except Exception as error:
            problems = _problems(error)
            if problems:
                self.rejected += 1
                self.last_rejected = LastChange(datetime.now(UTC), origin, comment, problems)
            audit.note("a change was rejected", origin=origin, comment=comment, reason=_reason(error))
            raise


def _problems(error: Exception) -> Sequence[Problem]:
    """Return what is wrong with the configuration, or could not be done; none if it was not evaluated."""
    if isinstance(error, InvalidConfig):
        return error.problems
    return [Problem("", str(error))] if isinstance(error, ChangeFailed) else ()


def _reason(error: Exception) -> str:
    if not isinstance(error, InvalidConfig):
        return str(error) or type(error).__name__
    first, *others = error.problems
    return f"{first} (and {len(others)} more)" if others else str(first)
