"""The journal's memory: one region for each region of the shared counters, and the structure of records."""

import mmap
from enum import IntEnum
from struct import Struct
from typing import Final

# Rule: the sequence number is the last field of a record's fixed part: a record without it was not completely written.
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
# The same in three parts: the same for all connections of a listener, different for each, and the same for each client.
CONNECTION_LISTENER: Final = Struct("<II")
CONNECTION_NUMBER: Final = Struct("<QH")
CONNECTION_CLIENT: Final = Struct("<B45s")
# The fixed part of a record: connection, time, injected delay and time of completion (all in seconds), state, kind,
# number of the (first) request, position of the payload, number of requests, rule's cell, sequence number.
FIXED: Final = Struct("<64sdddIIQQIiQ")
# The same of a record that has just begun: connection, time, state and kind, number of the first request, position of
# the payload, number of requests, rule's cell, sequence number. Fewer values are packed faster.
FIXED_OPEN: Final = Struct("<64sd16xQQQIiQ")
# Of a connection's end: connection, time, its duration, state and kind, number of requests, position of the payload,
# 1, the reason, sequence number.
FIXED_END: Final = Struct("<64sdd8xQQQIiQ")
# The rest of it: bytes kept of the request and its size; position, size and kept bytes of the reply; number of faults
# and the cells of the first ones; position and size of a note; the upstream's seconds, see UNKNOWN_SECONDS.
REST: Final = Struct("<IIQQII4IQIf")
# The same of an exchange without faults, that is not forwarded.
REST_EXCHANGE: Final = Struct("<IIQQI20xQI4x")
# Of a connection's end: bytes received and sent. The bytes behind them are of an earlier record.
REST_END: Final = Struct("<QQ")
SLOT_BYTES: Final = FIXED.size + REST.size
SLOT_CELLS: Final = SLOT_BYTES // 8
REST_AT: Final = FIXED.size
UPSTREAM_AT: Final = REST_AT + 60
DELAYED_AT: Final = 72
FINISHED_AT: Final = 80
STATE_AT: Final = 88
KIND_AT: Final = 92
RULE_AT: Final = 116
SEQUENCE_CELL: Final = 15
UNKNOWN_SECONDS: Final = -1.0  # of a forwarded request whose reply has not come, or cannot be known; 0: not forwarded
MAX_FAULTS: Final = 4  # faults that a record names; more are only counted

# What is read to drop a record: listener, time, state, payload's position, number of requests.
DROP: Final = Struct(f"<4xI56xd16xI12xQI{SLOT_BYTES - 116}x")
# What is read to count live entries: listener, state, number of requests, sequence number.
COUNT: Final = Struct(f"<4xI80xI20xI4xQ{SLOT_BYTES - 128}x")
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
