"""What the calls of ListenerService return."""

from dataclasses import dataclass
from typing import Any

from answerback.client.values.config import Change
from answerback.client.values.conversion import plain
from answerback.v1 import listener_service_pb2


@plain(listener_service_pb2.GetListenerResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listener of the active configuration."""

    listener: dict[str, Any]
    """The listener as in YAML, in the canonical form."""
    revision: int
    etag: str


@plain(listener_service_pb2.AddFaultResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class FaultChange(Change):
    """The result of a change of one fault, and the fault."""

    fault: dict[str, Any]
    """The fault as in YAML, with its name, and with `expire_time` if it has a time to live."""


@plain(listener_service_pb2.CreateListenerResponse)
@plain(listener_service_pb2.UpdateListenerResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerChange(Change):
    """The result of a change of one listener, and the listener."""

    listener: dict[str, Any]
