"""The calls of OperationsService."""

from answerback.client import values
from answerback.client.calls.durations import Seconds, duration
from answerback.client.faces import Caller, Feed, call, stream
from answerback.v1 import operations_service_pb2


class OperationsCalls(Caller):
    """Status, drain, restart, and counters."""

    @call
    async def get_status(self) -> values.Status:
        """Get the status of the server, its listeners, its workers and its last changes."""
        return await self._value(values.Status, operations_service_pb2.GetStatusRequest())

    @stream
    def drain(
        self, listener: str = "", *, over: Seconds = 0.0, grace: Seconds | None = None
    ) -> Feed[values.DrainProgress]:
        """Refuse new connections of one listener, or of all, and close open ones evenly `over` a time.

        Connections still open `grace` after that are reset; default: that of `serve --grace`. The drain begins
        at once, whether its progress is read or not: `result()` waits for the end. `resume` ends it.
        """
        request = operations_service_pb2.DrainRequest(listener=listener, over=duration(over))
        if grace is not None:
            request.grace.CopyFrom(duration(grace))
        return Feed(self, request, values.value)

    @call
    async def resume(self, listener: str = "") -> list[str]:
        """Have one listener, or all, listen again; return the names of those that were drained."""
        return list((await self._call(operations_service_pb2.ResumeRequest(listener=listener))).listeners)

    @stream
    def restart_workers(self, *, over: Seconds = 1.0, grace: Seconds | None = None) -> Feed[values.RestartProgress]:
        """Restart the workers one by one; every client that connects meanwhile is served.

        The restart begins at once, whether its progress is read or not: `result()` waits for the end.
        """
        request = operations_service_pb2.RestartWorkersRequest(over=duration(over))
        if grace is not None:
            request.grace.CopyFrom(duration(grace))
        return Feed(self, request, values.value)

    @call
    async def reset_counters(self, listener: str = "", *, rule: str = "", fault: str = "") -> int:
        """Have rules and faults count from 0 again: all, those of a listener, or one; return how many there were.

        `rule`, `fault`: its name, or `rules[N]`, `faults[N]` if it has none. Raises NotFound.
        """
        request = operations_service_pb2.ResetCountersRequest(listener=listener, rule=rule, fault=fault)
        return int((await self._call(request)).counters)

    @call
    async def signal(self, name: str, count: int = 1) -> values.Signalled:
        """Give a signal `count` times: each ends the longest `wait` for it, or is kept for the next one.

        Raises NotFound if no step of the active configuration names it.
        """
        request = operations_service_pb2.SignalRequest(name=name, count=count)
        return await self._value(values.Signalled, request)
