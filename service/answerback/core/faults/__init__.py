"""The faults, one file each. `base` has what all share; `fault` decides when one applies.

A reply is a stream of what happens (bytes, waits, an end), made while it is taken, and a fault is a transformer of that
stream. So faults compose in the order written, never reorder replies, and work under every driver.
"""

from answerback.core.faults.bandwidth import Bandwidth
from answerback.core.faults.base import Effect, FaultState, Reply
from answerback.core.faults.blackhole import Blackhole
from answerback.core.faults.corrupt import Corrupt
from answerback.core.faults.drop import Drop
from answerback.core.faults.fault import COUNTERS, ConnectionFaultState, Fault, apply_all, apply_to_close
from answerback.core.faults.hang import Hang
from answerback.core.faults.latency import Latency
from answerback.core.faults.reset import Reset
from answerback.core.faults.slice import Slice
from answerback.core.faults.slow_close import SlowClose
from answerback.core.faults.tls import Ending, Point, Tls, alert
from answerback.core.faults.truncate import Truncate

# Rule: an effect is shared by all connections and stateless; per-reply state is in the FaultState.
# Rule: steps are consumed lazily: a step is taken when the reply has reached it, after all its waits.
# Rule: one fault, one file, one test.

__all__ = [
    "COUNTERS",
    "Bandwidth",
    "Blackhole",
    "ConnectionFaultState",
    "Corrupt",
    "Drop",
    "Effect",
    "Ending",
    "Fault",
    "FaultState",
    "Hang",
    "Latency",
    "Point",
    "Reply",
    "Reset",
    "Slice",
    "SlowClose",
    "Tls",
    "Truncate",
    "alert",
    "apply_all",
    "apply_to_close",
]
