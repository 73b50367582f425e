"""The calls of the admin API: what each takes, sends and returns. Blocking and asyncio clients share them.

Each method is a coroutine that awaits `self._call(request)`. In the asyncio client it is just that. In the blocking
client `_call` blocks and never suspends, so that one step runs the coroutine to its end.
"""

# Rule: a call has the name of its RPC, in lower case; a test finds every RPC here.
# Rule: arguments and results are plain values; no generated name is part of a signature.

from answerback.client.calls.config import ConfigCalls
from answerback.client.calls.connections import ConnectionCalls
from answerback.client.calls.health import HealthCalls
from answerback.client.calls.journal import JournalCalls
from answerback.client.calls.listeners import ListenerCalls
from answerback.client.calls.operations import OperationsCalls


class Calls(ConfigCalls, ListenerCalls, OperationsCalls, JournalCalls, ConnectionCalls, HealthCalls):
    """One method for each RPC. Every method may raise an Error of this package."""
