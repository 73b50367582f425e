"""The interface through which a session reports what is counted."""

from typing import Protocol

from answerback.core.tls import Handshakes


class SessionMetrics(Protocol):
    """The counters of one listener that sessions update, kept by `shared.listener_counters.ListenerCounters`."""

    def requested(self, rule: int, requests: int) -> None:
        """`requests` requests were framed, and the rule with this cell matched them."""

    def unmatched(self, requests: int) -> None:
        """`requests` requests were framed, and no rule matched them."""

    def matched(self, rule: int) -> None:
        """The rule with this cell matched an event other than a request."""

    def fault_applied(self, fault: int) -> None:
        """The fault with this cell applies to a reply."""

    def unexpected_frame(self, cell: int) -> None:
        """A received frame is not what a script expects; the cell is that of its rule for such frames."""

    def answered(self, seconds: float, requests: int) -> None:
        """`requests` requests were finished `seconds` after receipt: their replies are in the kernel."""

    def delayed(self, seconds: float) -> None:
        """A step waits for `seconds`."""

    def truncated(self) -> None:
        """The peer's stream ended in the middle of a request."""

    def handshake(self, outcome: Handshakes) -> None:
        """A TLS handshake has ended."""
