"""The errors of requests to the supervisor. The text of each is a whole sentence that can be shown."""

from answerback.language.problems import quoted


class StartError(Exception):
    """The server cannot start; the text says what to do."""


class EtagMismatch(Exception):
    """The change was meant for another revision than the active one."""

    def __init__(self, current: str) -> None:
        super().__init__(f"another revision is active now; its etag is {current}")
        self.current = current


class ChangeFailed(Exception):
    """A worker or the store could not apply it; the configuration is not at fault."""

    def __init__(self, reason: str, consequence: str = "nothing has changed") -> None:
        """Both are clauses that can stand alone; together they are the message."""
        super().__init__(f"{reason}; {consequence}")
        self.reason = reason


class Conflict(Exception):
    """Another revision has been saved meanwhile."""


class StoreFailed(Exception):
    """The store failed temporarily; the text says why. Nothing has changed in it."""


class StoreFull(StoreFailed):
    """The store has no room for another revision."""


class StoreCorrupt(StoreFailed):
    """The stored data is damaged."""


class NotRecorded(ChangeFailed):
    """The store could not save the revision, so it is not active."""

    def __init__(self, cause: Conflict | StoreFailed) -> None:
        super().__init__(f"the revision cannot be recorded: {cause}")
        self.cause = cause


class NoSuchCounter(Exception):
    """The listener has no rule or fault with this name."""

    def __init__(self, listener: str, kind: str, name: str) -> None:
        super().__init__(f"listener {quoted(listener)} has no {kind} {quoted(name)}")


class NoSuchSignal(Exception):
    """No step of the active configuration waits for or gives this signal."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no step `wait` or `signal` of the active configuration names {quoted(name)}")
        self.name = name


class RestartInProgress(Exception):
    """A restart of the workers is in progress already."""

    def __init__(self) -> None:
        super().__init__("a restart is already in progress; `answerback status` shows the start time of each worker")


class Stopping(Exception):
    """The server is stopping; changes are not accepted any more."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down")
