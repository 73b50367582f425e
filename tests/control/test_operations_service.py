"""answerback.v1.OperationsService, over the wire."""

import logging
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc import aio

from answerback import __version__
from answerback.config import Problem
from answerback.control import operations_service
from answerback.core.plan import Engine
from answerback.metrics.reading import Counts
from answerback.supervisor import FileStatus, LastChange, ListenerStatus, State, Status, WorkerStatus
from answerback.v1 import operations_service_pb2 as pb
from answerback.v1.config_pb2 import ENGINE_COROUTINE
from answerback.v1.operations_service_pb2_grpc import OperationsServiceStub
from tests.control.conftest import WHEN

STATUS = Status(
    state=State.NOT_SERVING,
    reason="worker 1: five deaths in a minute",
    revision=7,
    etag="abc-7",
    listeners=[ListenerStatus("hello", "0.0.0.0:8000", Engine.COROUTINE, Counts(5, 2, 9))],
    workers=[
        WorkerStatus(0, 4711, True, 7, 1, WHEN + timedelta(seconds=1), 0.1, 0.001),
        WorkerStatus(1, 0, False, 0, 5, None, 0.0, 0.0),
    ],
    last_applied=LastChange(WHEN, "api", "why"),
    last_refused=LastChange(WHEN, "file", "", [Problem("listeners[0].name", "is missing")]),
    file=FileStatus("answerback.yaml", watched=True, problems=[Problem("listeners[0].name", "is missing")]),
)


@pytest.fixture
def stub(channel: aio.Channel) -> Any:
    return OperationsServiceStub(channel)


async def test_get_status(stub: Any, supervisor: Any) -> None:
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
        )
    ]
    first, second = answer.workers
    assert (first.index, first.pid, first.revision, first.restarts) == (0, 4711, 7, 1)
    assert first.start_time.ToJsonString() == "2026-01-02T03:04:06Z"
    assert (second.pid, second.HasField("start_time")) == (0, False)
    assert (answer.last_applied.origin, answer.last_applied.comment) == ("api", "why")
    assert answer.last_refused.problems[0].path == "listeners[0].name"
    assert (answer.config_file.path, answer.config_file.watched) == ("answerback.yaml", True)
    assert answer.config_file.problems[0].path == "listeners[0].name"


async def test_nothing_was_applied_or_refused_yet(stub: Any, supervisor: Any) -> None:
    supervisor.state = Status(State.STARTING, "starting", 0, "", (), (), None, None)
    answer = await stub.GetStatus(pb.GetStatusRequest())
    assert answer.state == pb.STATE_STARTING
    assert not answer.HasField("last_applied")
    assert not answer.HasField("last_refused")
    assert not answer.HasField("config_file")


async def test_what_is_not_expected_stays_inside(stub: Any, supervisor: Any, caplog: pytest.LogCaptureFixture) -> None:
    supervisor.state = KeyError("secret")
    with caplog.at_level(logging.CRITICAL), pytest.raises(aio.AioRpcError) as caught:
        await stub.GetStatus(pb.GetStatusRequest())
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)


def test_every_state_and_engine_has_its_value() -> None:
    assert set(operations_service.STATES) == set(State)
    assert set(operations_service.ENGINES) == set(Engine)
