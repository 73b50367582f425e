"""What each layer before a session answers in its place."""

from typing import TYPE_CHECKING, Any

from answerback.core.recorder import Recorder

if TYPE_CHECKING:
    from answerback.core.session.session import Session
    from answerback.core.session.slow_reader import SlowReader

# Rule: a layer implements what it changes; everything else is the session's.


class Layer:
    """Stands between a driver and a session. A driver calls it as it would call the session."""

    __slots__ = ("_session",)

    _session: "Session | SlowReader"

    def __getattr__(self, name: str) -> Any:
        """Return what is the session's."""
        return getattr(self._session, name)

    @property
    def recorder(self) -> Recorder | None:
        """See `Session.recorder`."""
        return self._session.recorder

    @recorder.setter
    def recorder(self, recorder: Recorder | None) -> None:
        self._session.recorder = recorder
