"""answerback.v1.OperationsService."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from grpc import aio

from answerback import __version__
from answerback.control.errors import BadArgument
from answerback.control.requests import seconds
from answerback.control.times import timestamp
from answerback.language.enums import ACCEPT_VALUES, ENGINE_VALUES
from answerback.language.problems import Problem
from answerback.supervisor import (
    MAX_KEPT,
    DrainState,
    FileStatus,
    LastChange,
    ListenerStatus,
    RestartStep,
    State,
    Supervisor,
    WorkerStatus,
)
from answerback.v1 import operations_service_pb2 as pb
from answerback.v1 import problem_pb2
from answerback.v1.operations_service_pb2_grpc import OperationsServiceServicer

STATES: Final = {
    State.STARTING: pb.STATE_STARTING,
    State.SERVING: pb.STATE_SERVING,
    State.NOT_SERVING: pb.STATE_NOT_SERVING,
    State.DRAINING: pb.STATE_DRAINING,
}
DRAINS: Final = {
    DrainState.DRAINING: pb.DRAIN_STATE_DRAINING,
    DrainState.DRAINED: pb.DRAIN_STATE_DRAINED,
    DrainState.RESUMED: pb.DRAIN_STATE_RESUMED,
}
STEPS: Final = {
    RestartStep.REPLACED: pb.RESTART_STEP_REPLACED,
    RestartStep.RESTARTED: pb.RESTART_STEP_RESTARTED,
}
RESTART_SPREAD_SECONDS: Final = 1.0  # seconds: clients accepted just before have sent their request by then
Context = aio.ServicerContext[Any, Any]


class OperationsService(OperationsServiceServicer):
    """The status of the server, and operations on it."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        """Return the complete status."""
        status = self._supervisor.status()
        return pb.GetStatusResponse(
            version=__version__,
            instance=self._supervisor.instance,
            start_time=timestamp(self._supervisor.start_time),
            revision=status.revision,
            etag=status.etag,
            state=STATES[status.state],
            reason=status.reason,
            listeners=map(_listener, status.listeners),
            workers=map(_worker, status.workers),
            last_applied=_change(status.last_applied),
            last_rejected=_change(status.last_rejected),
            config_file=_file(status.file),
            signals=(pb.SignalStatus(name=each.name, waiting=each.waiting, kept=each.kept) for each in status.signals),
        )

    async def Drain(self, request: pb.DrainRequest, context: Context) -> AsyncIterator[pb.DrainResponse]:
        """Stream the progress of a drain until it is complete."""
        spread, grace = seconds(request, "over", 0.0), seconds(request, "grace", None)
        async for progress in self._supervisor.operations.drain(request.listener, spread, grace):
            yield pb.DrainResponse(
                state=DRAINS[progress.state],
                connections_open=progress.open,
                connections_closed=progress.closed,
                connections_reset=progress.reset,
            )

    async def Resume(self, request: pb.ResumeRequest, context: Context) -> pb.ResumeResponse:
        """Return the names of the listeners that listen again."""
        return pb.ResumeResponse(listeners=await self._supervisor.operations.resume(request.listener))

    async def RestartWorkers(
        self, request: pb.RestartWorkersRequest, context: Context
    ) -> AsyncIterator[pb.RestartWorkersResponse]:
        """Stream each step of the restart of each worker."""
        spread = seconds(request, "over", RESTART_SPREAD_SECONDS)
        grace = seconds(request, "grace", None)
        async for step in self._supervisor.operations.restart_workers(spread, grace):
            yield pb.RestartWorkersResponse(
                worker=step.worker, step=STEPS[step.step], pid=step.pid, connections=step.connections
            )

    async def ResetCounters(self, request: pb.ResetCountersRequest, context: Context) -> pb.ResetCountersResponse:
        """Return how many rules and faults were reset."""
        if (request.rule or request.fault) and not request.listener:
            raise BadArgument("listener", "missing: rules and faults belong to a listener")
        counters = await self._supervisor.operations.reset_counters(request.listener, request.rule, request.fault)
        return pb.ResetCountersResponse(counters=counters)

    async def Signal(self, request: pb.SignalRequest, context: Context) -> pb.SignalResponse:
        """Return how many waits it ended, and how many signals are kept."""
        if request.count > MAX_KEPT:
            raise BadArgument("count", f"must be 1 to {MAX_KEPT}, not {request.count}")
        woken, kept = await self._supervisor.operations.signal(request.name, request.count or 1)
        return pb.SignalResponse(woken=woken, kept=kept)


def _listener(status: ListenerStatus) -> pb.ListenerStatus:
    return pb.ListenerStatus(
        name=status.name,
        address=status.address,
        engine=ENGINE_VALUES[status.engine],
        connections_accepted=status.counts.accepted,
        connections_open=status.counts.open,
        requests=status.counts.requests,
        requests_unmatched=status.counts.unmatched,
        accept=ACCEPT_VALUES[status.accept],
        drain=DRAINS[status.drain] if status.drain else pb.DRAIN_STATE_UNSPECIFIED,
    )


def _worker(status: WorkerStatus) -> pb.WorkerStatus:
    return pb.WorkerStatus(
        index=status.index,
        pid=status.pid,
        revision=status.revision,
        restarts=status.restarts,
        planned_restarts=status.planned_restarts,
        start_time=timestamp(status.start_time) if status.start_time is not None else None,
    )


def _change(change: LastChange | None) -> pb.LastChange | None:
    if change is None:
        return None
    problems = _problems(change.problems)
    return pb.LastChange(time=timestamp(change.time), origin=change.origin, comment=change.comment, problems=problems)


def _file(file: FileStatus | None) -> pb.ConfigFile | None:
    if file is None:
        return None
    return pb.ConfigFile(
        path=file.path, watched=file.watched, problems=_problems(file.problems), differs_since=file.differs_since
    )


def _problems(problems: Iterable[Problem]) -> Iterable[problem_pb2.Problem]:
    return (
        problem_pb2.Problem(path=one.path, message=one.message, line=one.line, column=one.column) for one in problems
    )
