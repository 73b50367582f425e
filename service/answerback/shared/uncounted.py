"""The counters of connections of a listener that are not counted as its own, or not yet."""

from answerback.core.actions import CloseReason
from answerback.core.tls import Handshakes
from answerback.shared.listener_counters import AWAITING_HEADER, ListenerCounters


class AwaitingCounters(ListenerCounters):
    """The counters of connections whose PROXY header has not arrived: what they count for is not known yet."""

    __slots__ = ()

    def accepted(self) -> None:
        """A connection was accepted; it is open."""
        cells = self._cells
        cells[self._block + AWAITING_HEADER] += 1
        cells[self._open] += 1

    def closed(self, reason: CloseReason, probe: bool) -> None:
        """A connection was closed before its header was complete."""
        self.header_arrived()
        super().closed(reason, probe)

    def received(self, size: int) -> None:
        """Not counted yet: the connection knows how many bytes they were."""

    def sent(self, size: int) -> None:
        """Nothing is sent before the header."""


class UncountedCounters(ListenerCounters):
    """The counters of connections that a proxy makes on its own behalf: they count nothing but failures of our own."""

    __slots__ = ()

    def closed(self, reason: CloseReason, probe: bool) -> None:
        """Not counted."""

    def received(self, size: int) -> None:
        """Not counted."""

    def sent(self, size: int) -> None:
        """Not counted."""

    def requested(self, rule: int, requests: int) -> None:
        """Not counted."""

    def unmatched(self, requests: int) -> None:
        """Not counted."""

    def matched(self, rule: int) -> None:
        """Not counted."""

    def fault_applied(self, fault: int) -> None:
        """Not counted."""

    def answered(self, seconds: float, requests: int) -> None:
        """Not counted."""

    def delayed(self, seconds: float) -> None:
        """Not counted."""

    def unexpected_frame(self, cell: int) -> None:
        """Not counted."""

    def handshake(self, outcome: Handshakes) -> None:
        """Not counted."""

    def upstream_connected(self, seconds: float) -> None:
        """Not counted."""

    def upstream_failed(self, error: str) -> None:
        """Not counted."""

    def upstream_handshake(self, outcome: Handshakes) -> None:
        """Not counted."""

    def upstream_received(self, size: int) -> None:
        """Not counted."""

    def upstream_sent(self, size: int) -> None:
        """Not counted."""

    def truncated(self) -> None:
        """Not counted."""


class RejectedCounters(ListenerCounters):
    """Counts nothing of connections but the matches of rules."""

    __slots__ = ()

    def closed(self, reason: CloseReason, probe: bool) -> None:
        """Not counted: it was rejected."""

    def received(self, size: int) -> None:
        """Not counted."""

    def sent(self, size: int) -> None:
        """Not counted."""

    def handshake(self, outcome: Handshakes) -> None:
        """Not counted."""

    def matched(self, rule: int) -> None:
        """A rule on LIMIT matched; without one, the connection is closed at once."""
        if rule >= 0:
            super().matched(rule)
