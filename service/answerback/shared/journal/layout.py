"""The journal's memory: one region for each region of the shared counters, and the structure of records."""

import mmap
from enum import IntEnum
from struct import Struct
from typing import Final

# Rule: the sequence number is the last field of a record: one without it was not completely written.
# Rule: the fixed part stands behind the rest, and where a record is means where its fixed part is. So both parts can be
#       packed in one go, and a record without a rest touches no more memory than its fixed part has.
# Rule: a record leaves the range of live ones (TAIL) before its slot or its payload is overwritten.

MAX_BYTES: Final = 1 << 30  # of all workers together; memory is taken as it is first written
HEADER_BYTES: Final = 4096
HEADER_CELLS: Final = HEADER_BYTES // 8

# A ring's part of the header, in cells from its first.
TAIL: Final = 0  # the sequence number of the oldest live record; everything before it was dropped
PAYLOAD_HEAD: Final = 1  # the position behind the newest payload
SLOTS: Final = 2  # number of slots
SLOTS_AT: Final = 3  # where they begin, in bytes from the start of the region
CAPACITY: Final = 4  # size of the payload area, in bytes
PAYLOAD_AT: Final = 5  # where it begins
BOUND: Final = 6  # max. number of entries
RING_CELLS: Final = 8
GENERATION: Final = 2 * RING_CELLS  # odd while the rings are being moved within the region

# The connection of a record: process id, listener's block, number of the connection in that process, peer's port,
# worker's slot, peer's host.
CONNECTION: Final = Struct("<IIQHB45s")
# The same of parts: the first is that of all connections of a listener, and the last that of each client.
CONNECTION_OF: Final = Struct("<8sQH46s")
CONNECTION_LISTENER: Final = Struct("<II")
CONNECTION_CLIENT: Final = Struct("<B45s")
# The fixed part of a record: connection, time, injected delay and time of completion (all in seconds), state, kind,
# number of the (first) request, position of the payload, number of requests, rule's cell, sequence number.
FIXED: Final = Struct("<64sdddIIQQIiQ")
# The same of a record that has just begun: connection, time, state and kind, number of the first request, position of
# the payload, number of requests, rule's cell, sequence number. Fewer values are packed faster.
FIXED_OPEN: Final = Struct("<64sd16xQQQIiQ")
# The rest, before it: bytes kept of the request and its size; position, size and kept bytes of the reply; number of
# faults and the cells of the first ones; position and size of a note; the upstream's seconds, see UNKNOWN_SECONDS.
REST: Final = Struct("<IIQQII4IQIf")
# The whole of an exchange that has just begun, without faults, and not forwarded: its rest, then as in FIXED_OPEN.
EXCHANGE_OPEN: Final = Struct("<IIQQI20xQI4x64sd16xQQQIiQ")
# What a connection's end has of the rest, right before the fixed part: bytes received and sent. The bytes before them
# are of an earlier record.
REST_END: Final = Struct("<QQ")
# The whole of it: bytes received and sent, connection, time, its duration, state and kind, number of requests, position
# of the payload, 1, the reason, sequence number.
END: Final = Struct("<QQ64sdd8xQQQIiQ")
SLOT_BYTES: Final = FIXED.size + REST.size
SLOT_CELLS: Final = SLOT_BYTES // 8
FIXED_AT: Final = REST.size  # in a slot
# Places from the fixed part on.
REST_AT: Final = -REST.size
END_AT: Final = -REST_END.size
UPSTREAM_AT: Final = REST_AT + 60
DELAYED_AT: Final = 72
FINISHED_AT: Final = 80
STATE_AT: Final = 88
SEQUENCE_AT: Final = 120
SEQUENCE_CELL: Final = (FIXED_AT + SEQUENCE_AT) // 8  # in a slot
UNKNOWN_SECONDS: Final = -1.0  # of a forwarded request whose reply has not come, or cannot be known; 0: not forwarded
MAX_FAULTS: Final = 4  # faults that a record names; more are only counted

# What is read to drop a record: listener, time, state, payload's position, number of requests.
DROP: Final = Struct(f"<{FIXED_AT}x4xI56xd16xI12xQI12x")
# The same fields of many records at once, in words from the beginning of a slot.
WORD: Final = 4
SLOT_WORDS: Final = SLOT_BYTES // WORD
LISTENER_WORD: Final = (FIXED_AT + 4) // WORD
STATE_WORD: Final = (FIXED_AT + STATE_AT) // WORD
ENTRIES_WORD: Final = (FIXED_AT + 112) // WORD
# What is read to count live entries: listener, state, number of requests, sequence number.
COUNT: Final = Struct(f"<{FIXED_AT}x4xI80xI20xI4xQ")
# Completion: when, and the state.
FINISH: Final = Struct("<dI")
DOUBLE: Final = Struct("<d")
FLOAT: Final = Struct("<f")

# The payload of a record of kind RUN: number of requests, rule's cell, kept bytes and size of each reply, size of the
# note; then for each request its kept bytes and its size; then the requests, the reply and the note.
RUN_HEAD: Final = Struct("<IiIQI")
RUN_REQUEST: Final = Struct("<II")

NO_RULE: Final = -1


class Kind(IntEnum):
    """What a record is about."""

    EXCHANGE = 1
    """A request with its own payload."""
    RUN = 2
    """Requests that were answered from a cached reply; many records share its payload."""
    EVENT = 3
    """A rule answered an event that is not a request."""
    END = 4
    """A connection ended."""


class State(IntEnum):
    """How far a record has come."""

    IN_PROGRESS = 0
    DONE = 1
    """The reply was handed to the kernel completely."""
    ABANDONED = 2
    """The connection ended before."""
    CLEARED = 3
    """Removed on request; it does not exist for readers."""


IN_PROGRESS: Final = int(State.IN_PROGRESS)  # numbers of an enum are slow to compare and to pack


class JournalMemory:
    """The mapped memory, a part of that of the shared counters."""

    def __init__(self, fd: int, regions: int, offset: int) -> None:
        """Map the memory of `fd` from `offset` on. Raises OSError if it cannot be mapped."""
        self.regions = regions
        self._map = mmap.mmap(fd, self.size(regions), offset=offset)
        self._bytes = memoryview(self._map)

    @staticmethod
    def size(regions: int) -> int:
        """Return the size in bytes of the address space for this many regions, one of them spare."""
        return regions * region_bytes(regions)

    def region(self, number: int) -> memoryview:
        """Return the bytes of a region."""
        size = region_bytes(self.regions)
        return self._bytes[number * size : (number + 1) * size]

    def release(self, number: int, start: int) -> None:
        """Give the memory of a region back, from `start` bytes behind its begin on; it reads as zeros then."""
        size = region_bytes(self.regions)
        self._map.madvise(mmap.MADV_REMOVE, number * size + start, size - start)


def region_bytes(regions: int) -> int:
    """Return the size of a region: the largest share of a worker, in whole pages."""
    share = MAX_BYTES // max(1, regions - 1)
    return HEADER_BYTES + -(-share // mmap.PAGESIZE) * mmap.PAGESIZE
