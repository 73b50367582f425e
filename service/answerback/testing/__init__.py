"""A server for tests: the fixtures `answerback` and `answerback_async` of pytest, and what they are made of.

plugin      the fixtures; pytest loads it by its entry point
server      the process: one for all tests of a pytest process
listeners   what one test has of it: listeners on free ports, which end with the test
child       runs in the new process: it ends when its parent does
"""

# Rule: nothing here imports more than the standard library until a server is started: pytest loads the plugin always.

from answerback.testing.listeners import (
    Answerback,
    AsyncAnswerback,
    AsyncListener,
    EvidenceIncomplete,
    Listener,
    NotFulfilled,
)
from answerback.testing.server import Server, ServerDied

__all__ = (
    "Answerback",
    "AsyncAnswerback",
    "AsyncListener",
    "EvidenceIncomplete",
    "Listener",
    "NotFulfilled",
    "Server",
    "ServerDied",
)
