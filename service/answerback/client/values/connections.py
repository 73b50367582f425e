"""What the calls of ConnectionService return."""

from dataclasses import dataclass
from datetime import timedelta

from answerback.client.values.conversion import plain
from answerback.v1 import connection_service_pb2


@plain(connection_service_pb2.Connection)
@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An open connection."""

    id: str
    listener: str
    worker: int
    peer: str
    age: timedelta | None
    """How long it has been open."""
    received_bytes: int
    sent_bytes: int
    requests: int
    state: str
    """`OPEN`, `HALF_CLOSED` or `CLOSING`."""
    waits_for: str
    """What has to happen next, `request` or `hang` for example."""
    rule_state: str
    """The state that rules have set."""
