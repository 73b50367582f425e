"""The journal: the last requests of every worker, in memory that supervisor and workers map.

layout            where everything stands in the memory
ring              the one writer of a ring: appends, completes in place, drops the oldest
region            the two rings of a worker, which follow the configured bounds
records           reads a region, while it is written
counts            entries + dropped = requests
listener_journal  what the sessions of a listener call before their first request
recorder          what they call then: the journal of one connection
open_record       a record whose script is in progress

Each region holds two rings: the exchanges (requests and their replies), and the events (answers to other events, and
ends of connections). A ring is an index of slots of one size, and a payload area for bodies. The record with the
sequence number `n` stands in slot `n % slots`. Bodies have positions that only grow; `position % capacity` is where
they stand.
"""
