"""What a selector remembers, so that the same bytes need not be answered from the beginning each time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from answerback.core.actions import Send

if TYPE_CHECKING:
    from answerback.core.plan import Rule

# Rule: what is remembered is bounded by number and by bytes. A cache that is full is emptied: to keep the most recent
#       entries costs more at each request than to find them again.

RECALLED_MOST: Final = 256  # answers remembered by a selector
RECALLED_BYTES: Final = 1024  # heard at once, at most, for that
CACHE_BYTES: Final = 1 << 20  # of replies in one cache, or of requests, each with ENTRY_BYTES for what surrounds it
ENTRY_BYTES: Final = 400
UNMATCHED: Final = -1  # the place of a rule that there is none of


@dataclass(frozen=True, slots=True)
class Recalled:
    """The answer to everything that was heard at once: the same as ever, so that it need not be found anew."""

    actions: tuple[Send, ...]
    requests: int
    place: int
    """Of the one rule that matched them all; UNMATCHED if none did."""


class ReplyCache:
    """The answers to whole reads."""

    __slots__ = ("entries", "size_bytes")

    def __init__(self) -> None:
        self.entries: dict[bytes, Recalled | None] = {}  # a look-up in a subclass of dict takes a third longer
        """By what was heard; None for what was heard once."""
        self.size_bytes = 0  # of replies

    def store(self, heard: bytes, requests: int, rule: "Rule | None") -> None:
        """Remember that these bytes are so many requests, which one rule answers with its constant reply, or no rule.

        Heard once, they are only noted: what is never heard again is not worth more.
        """
        if rule is not None and rule.reply is None:
            return
        entries = self.entries
        if heard in entries:
            data = b"" if rule is None or rule.reply is None else bytes(rule.reply.data) * requests
            self.size_bytes += len(data)
            if self.size_bytes > CACHE_BYTES:
                self._empty()
                self.size_bytes = len(data)
            place = UNMATCHED if rule is None else rule.place
            entries[heard] = Recalled((Send(data),) if data else (), requests, place)
        elif len(heard) <= RECALLED_BYTES:
            if len(entries) == RECALLED_MOST:
                self._empty()
            entries[heard] = None

    def _empty(self) -> None:
        self.entries.clear()
        self.size_bytes = 0


class RuleCache(dict[bytes, "Rule | None"]):
    """The rules on requests that took long to find; None where there is none."""

    __slots__ = ("size_bytes",)

    def __init__(self) -> None:
        super().__init__()
        self.size_bytes = 0

    def store(self, request: bytes, rule: "Rule | None") -> None:
        """Remember it, unless the rule asks more of the request than that it matches: its captures."""
        size_bytes = len(request) + ENTRY_BYTES
        if len(request) > RECALLED_BYTES or (rule is not None and rule.reply is None):
            return
        if self.size_bytes + size_bytes > CACHE_BYTES:
            self.clear()
            self.size_bytes = 0
        self.size_bytes += size_bytes
        self[request] = rule
