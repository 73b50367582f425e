"""The results and errors of requests to the supervisor."""

from dataclasses import dataclass

from answerback.language.problems import quoted
from answerback.supervisor.revisions.store import Conflict, Revision, StoreFailed


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration was accepted."""

    revision: Revision
    """The active revision; for a validation, the given configuration under the active number."""
    changed: bool
    """False if it was active already, or only validated."""
    workers: int
    """How many workers serve it."""


class StartError(Exception):
    """The server cannot start; the text says what to do."""


class EtagMismatch(Exception):
    """The change was meant for another revision than the active one."""

    def __init__(self, current: str) -> None:
        super().__init__(f"another revision is active now; its etag is {current}")
        self.current = current


class ChangeFailed(Exception):
    """A worker or the store could not apply it; the configuration is not at fault. Nothing has changed anywhere."""


class NotRecorded(ChangeFailed):
    """The store could not save the revision, so it is not active."""

    def __init__(self, reason: Conflict | StoreFailed) -> None:
        super().__init__(f"the revision cannot be recorded: {reason}; nothing has changed")
        self.reason = reason


class NoSuchCounter(Exception):
    """The listener has no rule or fault with this name."""

    def __init__(self, listener: str, kind: str, name: str) -> None:
        super().__init__(f"listener {quoted(listener)} has no {kind} {quoted(name)}")


class RestartInProgress(Exception):
    """A restart of the workers is in progress already."""

    def __init__(self) -> None:
        super().__init__("a restart is already in progress; `answerback status` shows the start time of each worker")


class Stopping(Exception):
    """The server is stopping; changes are not accepted any more."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down")
