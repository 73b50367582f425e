"""What all relayed connections of a worker share."""

import asyncio
from functools import cached_property
from typing import Final

from answerback.net.relay.resolver import Resolver

# At most, of one read: what is held of a direction. With 64 KiB, a MiB costs half as much CPU again.
READ_BYTES: Final = 256 << 10


class Relaying:
    """The resolver of names, and the memory that sides are read into."""

    def __init__(self) -> None:
        self.resolver = Resolver()
        self.handshakes = asyncio.Lock()  # see `Beginning.line`

    @cached_property
    def buffer(self) -> memoryview:
        """What was read last. It is used up, or copied, before the next read."""
        return memoryview(bytearray(READ_BYTES))
