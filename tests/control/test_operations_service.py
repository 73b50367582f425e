"""answerback.v1.OperationsService, over the wire."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from answerback import __version__
from answerback.control import operations_service
from answerback.core.plan import Accept, Engine
from answerback.language.editing import NoSuchListener
from answerback.language.problems import Problem
from answerback.metrics.snapshot import Counts
from answerback.supervisor import (
    ChangeFailed,
    DrainProgress,
    DrainState,
    FileStatus,
    LastChange,
    ListenerStatus,
    NoSuchSignal,
    Restarted,
    RestartStep,
    State,
    Status,
    WorkerStatus,
)
from answerback.v1 import operations_service_pb2 as pb
from answerback.v1.config_pb2 import ACCEPT_HOLD, ENGINE_COROUTINE
from answerback.v1.operations_service_pb2_grpc import OperationsServiceStub
from tests.control.conftest import WHEN

STATUS = Status(
    state=State.NOT_SERVING,
    reason="worker 1: five deaths in a minute",
    revision=7,
    etag="abc-7",
    listeners=[ListenerStatus("hello", "0.0.0.0:8000", Engine.COROUTINE, Accept.HOLD, Counts(5, 2, 9, 3))],
    workers=[
        WorkerStatus(0, 4711, True, 7, 1, WHEN + timedelta(seconds=1), 0.1, 0.001),
        WorkerStatus(1, 0, False, 0, 5, None, 0.0, 0.0),
    ],
    last_applied=LastChange(WHEN, "api", "why"),
    last_rejected=LastChange(WHEN, "file", "", [Problem("listeners[0].name", "is missing")]),
    file=FileStatus("answerback.yaml", watched=True, problems=[Problem("listeners[0].name", "is missing")]),
    applied=4,
    rejected=1,
    signals=(),
    certificates_loaded=2,
    certificates_rejected=3,
)


@pytest.fixture
def stub(channel: aio.Channel) -> Any:
    return OperationsServiceStub(channel)


async def test_get_status_returns_the_state_of_the_supervisor(stub: Any, supervisor: Any) -> None:
    supervisor.state = STATUS
    answer = await stub.GetStatus(pb.GetStatusRequest())
    assert (answer.version, answer.instance, answer.revision, answer.etag) == (__version__, "abc", 7, "abc-7")
    assert (answer.state, answer.reason) == (pb.STATE_NOT_SERVING, "worker 1: five deaths in a minute")
    assert answer.start_time.ToJsonString() == "2026-01-02T03:04:05Z"
    assert list(answer.listeners) == [
        pb.ListenerStatus(
            name="hello",
            address="0.0.0.0:8000",
            engine=ENGINE_COROUTINE,
            connections_accepted=5,
            connections_open=2,
            requests=9,
            requests_unmatched=3,
            accept=ACCEPT_HOLD,
        )
    ]
    first, second = answer.workers
    assert (first.index, first.pid, first.revision, first.restarts) == (0, 4711, 7, 1)
    assert first.start_time.ToJsonString() == "2026-01-02T03:04:06Z"
    assert (second.pid, second.HasField("start_time")) == (0, False)
    assert (answer.last_applied.origin, answer.last_applied.comment) == ("api", "why")
    assert answer.last_rejected.problems[0].path == "listeners[0].name"
    assert (answer.config_file.path, answer.config_file.watched) == ("answerback.yaml", True)
    assert answer.config_file.problems[0].path == "listeners[0].name"


@pytest.mark.parametrize("state", DrainState)
async def test_get_status_returns_the_drain_state_of_each_listener(
    stub: Any, supervisor: Any, state: DrainState
) -> None:
    draining = replace(STATUS.listeners[0], drain=state)
    supervisor.state = replace(STATUS, listeners=[draining])
    (listener,) = (await stub.GetStatus(pb.GetStatusRequest())).listeners
    assert pb.DrainState.Name(listener.drain) == f"DRAIN_STATE_{state.name}"


async def test_get_status_before_the_first_change_omits_changes(stub: Any, supervisor: Any) -> None:
    supervisor.state = replace(STATUS, state=State.STARTING, last_applied=None, last_rejected=None, file=None)
    answer = await stub.GetStatus(pb.GetStatusRequest())
    assert answer.state == pb.STATE_STARTING
    assert not answer.HasField("last_applied")
    assert not answer.HasField("last_rejected")
    assert not answer.HasField("config_file")


class Operations:
    """Does as a test says; what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.fault: Exception | None = None

    async def restart_workers(self, over: float, grace: float | None) -> AsyncIterator[Restarted]:
        self.asked.append((over, grace))
        yield Restarted(1, RestartStep.REPLACED, 4711, 5)
        if self.fault:
            raise self.fault
        yield Restarted(1, RestartStep.RESTARTED, 4711, 0)

    async def drain(self, *asked: Any) -> AsyncIterator[DrainProgress]:
        self.asked.append(asked)
        if self.fault:
            raise self.fault
        yield DrainProgress(DrainState.DRAINING, 3, 0)
        yield DrainProgress(DrainState.DRAINED, 0, 3, reset=1)

    async def resume(self, *asked: str) -> list[str]:
        self.asked.append(asked)
        return ["a", "b"]

    async def reset_counters(self, *asked: str) -> int:
        self.asked.append(asked)
        return 3

    async def signal(self, *asked: Any) -> tuple[int, int]:
        self.asked.append(asked)
        if self.fault:
            raise self.fault
        return 1, 2


@pytest.fixture
def operations(supervisor: Any) -> Operations:
    supervisor.operations = Operations()
    asked: Operations = supervisor.operations
    return asked


async def test_restart_workers_streams_its_steps(stub: Any, operations: Operations) -> None:
    steps = [step async for step in stub.RestartWorkers(pb.RestartWorkersRequest())]
    assert steps == [
        pb.RestartWorkersResponse(worker=1, step=pb.RESTART_STEP_REPLACED, pid=4711, connections=5),
        pb.RestartWorkersResponse(worker=1, step=pb.RESTART_STEP_RESTARTED, pid=4711),
    ]
    times = pb.RestartWorkersRequest(over=Duration(seconds=3), grace=Duration())
    assert len([step async for step in stub.RestartWorkers(times)]) == 2
    assert operations.asked == [(1.0, None), (3.0, 0.0)]


@pytest.mark.parametrize(
    "field, given, text",
    [
        ("over", Duration(seconds=-1), "over: must be 0 to 1h, not -1s"),
        ("grace", Duration(seconds=3601), "grace: must be 0 to 1h, not 1h1s"),
    ],
)
async def test_restart_workers_with_invalid_duration_is_rejected(
    stub: Any, operations: Operations, field: str, given: Duration, text: str
) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await anext(aiter(stub.RestartWorkers(pb.RestartWorkersRequest(**{field: given}))))
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, text)
    assert not operations.asked


async def test_restart_that_fails_ends_its_stream_with_the_error(stub: Any, operations: Operations) -> None:
    operations.fault = ChangeFailed("no successor")
    steps = aiter(stub.RestartWorkers(pb.RestartWorkersRequest()))
    assert (await anext(steps)).pid == 4711
    with pytest.raises(aio.AioRpcError) as caught:
        await anext(steps)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_drain_call_streams_progress_until_drained(stub: Any, operations: Operations) -> None:
    request = pb.DrainRequest(listener="a", over=Duration(seconds=30))
    assert [progress async for progress in stub.Drain(request)] == [
        pb.DrainResponse(state=pb.DRAIN_STATE_DRAINING, connections_open=3),
        pb.DrainResponse(state=pb.DRAIN_STATE_DRAINED, connections_closed=3, connections_reset=1),
    ]
    assert len([progress async for progress in stub.Drain(pb.DrainRequest())]) == 2
    (done,) = [progress async for progress in stub.Drain(pb.DrainRequest(grace=Duration(nanos=5 * 10**8)))][1:]
    assert done.connections_reset == 1
    assert operations.asked == [("a", 30.0, None), ("", 0.0, None), ("", 0.0, 0.5)]
    operations.fault = NoSuchListener("a")
    with pytest.raises(aio.AioRpcError) as caught:
        await anext(aiter(stub.Drain(request)))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_resume_call_returns_the_resumed_listeners(stub: Any, operations: Operations) -> None:
    assert list((await stub.Resume(pb.ResumeRequest(listener="a"))).listeners) == ["a", "b"]
    assert operations.asked == [("a",)]


async def test_reset_counters_call_returns_their_number(stub: Any, operations: Operations) -> None:
    assert (await stub.ResetCounters(pb.ResetCountersRequest(listener="a", rule="b", fault="c"))).counters == 3
    assert operations.asked == [("a", "b", "c")]
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.ResetCounters(pb.ResetCountersRequest(rule="b"))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_signal_call_gives_the_signal_once_or_count_times(stub: Any, operations: Operations) -> None:
    assert await stub.Signal(pb.SignalRequest(name="go")) == pb.SignalResponse(woken=1, kept=2)
    await stub.Signal(pb.SignalRequest(name="go", count=10_000))
    assert operations.asked == [("go", 1), ("go", 10_000)]
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Signal(pb.SignalRequest(name="go", count=10_001))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    operations.fault = NoSuchSignal("go")
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Signal(pb.SignalRequest(name="go"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_operations_service_hides_unexpected_errors(
    stub: Any, supervisor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.state = KeyError("secret")
    with caplog.at_level(logging.CRITICAL), pytest.raises(aio.AioRpcError) as caught:
        await stub.GetStatus(pb.GetStatusRequest())
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)


def test_each_state_and_step_has_a_value_in_the_api() -> None:
    assert set(operations_service.DRAINS) == set(DrainState)
    assert set(operations_service.STEPS) == set(RestartStep)
    assert set(operations_service.STATES) == set(State)
