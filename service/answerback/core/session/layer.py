"""What each layer before a session answers in its place."""

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from answerback.core.recorder import Recorder
from answerback.core.session.session import Session

if TYPE_CHECKING:
    from answerback.core.session.conversation import Conversation
    from answerback.core.session.slow_reader import SlowReader

# Rule: a layer implements what it changes; everything else is the session's.
# Rule: no `__getattr__` in a layer that stays: with it Python looks up each attribute slowly, the layer's own ones too.


class LayerBase:
    """The attributes that all layers have themselves."""

    __slots__ = ("_session", "born", "conversation")

    _session: "Session | SlowReader"
    born: float
    """See `Session.born`."""
    conversation: "Conversation"
    """See `Session.conversation`."""

    @property
    def recorder(self) -> Recorder | None:
        """See `Session.recorder`."""
        return self._session.recorder

    @recorder.setter
    def recorder(self, recorder: Recorder | None) -> None:
        self._session.recorder = recorder


class Layer(LayerBase):
    """Stands between a driver and a session. A driver calls it as it would call the session."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return what is the session's."""


for _name in dir(Session):
    if not _name.startswith("_") and not hasattr(Layer, _name):
        setattr(Layer, _name, property(attrgetter(f"_session.{_name}")))
