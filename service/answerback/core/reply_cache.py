"""Caches that a selector keeps, so that repeated requests need not be processed from the beginning."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from answerback.core.actions import Send

if TYPE_CHECKING:
    from answerback.core.plan import Rule

# Rule: caches are bounded by number and by bytes. A full cache is emptied: keeping the most recent entries would cost
#       more at each request than to compute them again.

MAX_ENTRIES: Final = 256  # of one cache of replies
MAX_KEY_BYTES: Final = 1024  # of a read, or a request, that is cached
MAX_CACHE_BYTES: Final = 1 << 20  # of replies in one cache, or of requests, each with ENTRY_BYTES for what surrounds it
ENTRY_BYTES: Final = 400
UNMATCHED: Final = -1  # stands for "no rule matched"


@dataclass(slots=True)
class CachedReply:
    """The reply to a whole read, which is the same each time."""

    actions: tuple[Send, ...]
    requests: int
    cell: int
    """The cell of the rule that matched all requests; UNMATCHED if none did."""
    position: int = -1
    """Where the journal has it; -1 before the first time."""

    def each(self) -> bytes | memoryview:
        """Return the reply to one of the requests."""
        data = self.actions[0].data if self.actions else b""
        return data[: len(data) // self.requests]


class ReplyCache:
    """The replies to whole reads."""

    __slots__ = ("entries", "size_bytes")

    def __init__(self) -> None:
        self.entries: dict[bytes, CachedReply | None] = {}  # a look-up in a subclass of dict takes a third longer
        """Replies by the bytes read; None for bytes seen once."""
        self.size_bytes = 0  # of replies

    def store(self, data: bytes, requests: int, rule: "Rule | None") -> None:
        """Cache that these bytes are `requests` requests, answered by one rule's constant reply, or by no rule.

        On first sight the bytes are only noted: most reads are never repeated.
        """
        if rule is not None and rule.reply is None:
            return
        entries = self.entries
        if data in entries:
            reply = b"" if rule is None or rule.reply is None else bytes(rule.reply.data) * requests
            self.size_bytes += len(reply)
            if self.size_bytes > MAX_CACHE_BYTES:
                self._empty()
                self.size_bytes = len(reply)
            cell = UNMATCHED if rule is None else rule.cell
            entries[data] = CachedReply((Send(reply),) if reply else (), requests, cell)
        elif len(data) <= MAX_KEY_BYTES:
            if len(entries) == MAX_ENTRIES:
                self._empty()
            entries[data] = None

    def _empty(self) -> None:
        self.entries.clear()
        self.size_bytes = 0


class RuleCache(dict[bytes, "Rule | None"]):
    """The rules found by expensive searches; None where no rule matched."""

    __slots__ = ("size_bytes",)

    def __init__(self) -> None:
        super().__init__()
        self.size_bytes = 0

    def store(self, request: bytes, rule: "Rule | None") -> None:
        """Cache the result, unless the rule needs the captures of this request."""
        size_bytes = len(request) + ENTRY_BYTES
        if len(request) > MAX_KEY_BYTES or (rule is not None and rule.reply is None):
            return
        if self.size_bytes + size_bytes > MAX_CACHE_BYTES:
            self.clear()
            self.size_bytes = 0
        self.size_bytes += size_bytes
        self[request] = rule
