"""Ways to misbehave: a file for each; `base` is what all share, `fault` says when one strikes.

A reply is a stream of what happens (bytes, waits, an end), made while it is taken, and a fault is a transformer of that
stream. So faults compose in the order written, never reorder replies, and work under every driver.
"""

from answerback.core.faults.bandwidth import Bandwidth
from answerback.core.faults.base import Effect, Reply, Strike
from answerback.core.faults.corrupt import Corrupt
from answerback.core.faults.drop import Drop
from answerback.core.faults.fault import COUNTERS, Fault, Own, farewell, through
from answerback.core.faults.hang import Hang
from answerback.core.faults.latency import Latency
from answerback.core.faults.reset import Reset
from answerback.core.faults.slice import Slice
from answerback.core.faults.slow_close import SlowClose
from answerback.core.faults.truncate import Truncate

# Rule: an effect is shared by all its connections and keeps nothing of them; what it keeps is in the Strike.
# Rule: nothing is looked at before its time: a step is taken when the reply has come to it, with all its waits.
# Rule: one fault, one file, one test.

__all__ = [
    "COUNTERS",
    "Bandwidth",
    "Corrupt",
    "Drop",
    "Effect",
    "Fault",
    "Hang",
    "Latency",
    "Own",
    "Reply",
    "Reset",
    "Slice",
    "SlowClose",
    "Strike",
    "Truncate",
    "farewell",
    "through",
]
