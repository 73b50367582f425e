"""What is between a side and its relayed connection: the side takes it for the connection."""

from typing import TYPE_CHECKING, Self

from answerback.net.host import Host
from answerback.net.relay.relaying import Relaying

if TYPE_CHECKING:
    from answerback.net.relay.connection import RelayedConnection

# Rule: it is the progress of its side too (see `side.Progress`): a subclass decides when the side is read.


class Layer:
    """What each layer answers its side in the connection's place. A subclass has the rest of `SideOwner`."""

    __slots__ = ()

    _connection: "RelayedConnection"
    active_at: float
    """Never asked for, so never set: whether a peer reads in time is watched at the connection's own side."""

    @property
    def host(self) -> Host:
        """The listener."""
        return self._connection.host

    @property
    def relaying(self) -> Relaying:
        """What the worker's relays share."""
        return self._connection.relaying

    @property
    def relay(self) -> Self:
        """It decides itself when its side is read."""
        return self

    @property
    def over(self) -> bool:
        """Whether the connection is over."""
        return self._connection.relay.over

    def failed(self) -> None:
        """Handle an exception."""
        self._connection.failed()
