"""Where a session reports what is to be counted."""

from typing import Protocol


class Ledger(Protocol):
    """One listener's counts, as far as a session moves them: `shared.listener_counters.ListenerCounters` keeps them."""

    def requested(self, rule: int, requests: int) -> None:
        """So many requests were framed, and the rule with this place matched them."""

    def unmatched(self, requests: int) -> None:
        """So many requests were framed, and no rule matched them."""

    def matched(self, rule: int) -> None:
        """The rule with this place matched an event that is no request."""

    def struck(self, fault: int) -> None:
        """The fault with this place strikes a reply."""

    def answered(self, seconds: float, requests: int) -> None:
        """So many requests were finished `seconds` after receipt, their replies handed to the kernel."""

    def delayed(self, seconds: float) -> None:
        """A step waits for `seconds`."""

    def truncated(self) -> None:
        """The peer's stream ended in the middle of a request."""
