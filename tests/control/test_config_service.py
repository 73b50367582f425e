"""answerback.v1.ConfigService, over the wire."""

import asyncio
import logging
from datetime import UTC
from typing import Any

import grpc
import pytest
from grpc import aio

from answerback.control.requests import COMMENT_LENGTH
from answerback.control.server import MAX_CONFIG_BYTES
from answerback.language.builtin import BUILT_IN
from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor import ChangeFailed, EtagMismatch, Stopping
from answerback.supervisor.revisions.store import Retention, RevisionsInMemory
from answerback.v1 import config_service_pb2 as pb
from answerback.v1.config_pb2 import Config, Listener
from answerback.v1.config_service_pb2_grpc import ConfigServiceStub
from tests.supervisor.histories import fill, revision


@pytest.fixture
def stub(channel: aio.Channel) -> Any:
    return ConfigServiceStub(channel)


async def failure(call: Any) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_get_config_returns_configuration_revision_and_etag(stub: Any) -> None:
    answer = await stub.GetConfig(pb.GetConfigRequest())
    assert (answer.config, answer.revision, answer.etag) == (BUILT_IN, 7, "abc-7")


async def test_update_config_passes_all_fields_to_the_supervisor(stub: Any, supervisor: Any) -> None:
    request = pb.UpdateConfigRequest(config=Config(), etag="abc-7", comment="why", validate_only=True)
    answer = await stub.UpdateConfig(request)
    assert supervisor.asked == [{"config": Config(), "etag": "abc-7", "comment": "why", "validate_only": True}]
    assert answer == pb.UpdateConfigResponse(config=BUILT_IN, revision=8, etag="abc-8", changed=True, workers=2)


@pytest.mark.parametrize(
    "error, code",
    [
        (InvalidConfig([Problem("listeners[0].name", "is missing")]), grpc.StatusCode.INVALID_ARGUMENT),
        (EtagMismatch("abc-7"), grpc.StatusCode.ABORTED),
        (ChangeFailed("worker 0 died"), grpc.StatusCode.UNAVAILABLE),
        (Stopping(), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_update_config_that_fails_has_the_status_of_its_error(
    stub: Any, supervisor: Any, error: Exception, code: Any
) -> None:
    supervisor.answer = error
    failed = await failure(stub.UpdateConfig(pb.UpdateConfigRequest(config=Config())))
    assert failed.code() == code


async def test_rejection_with_very_many_problems_is_delivered(stub: Any, supervisor: Any) -> None:
    supervisor.answer = InvalidConfig([Problem(f"listeners[{n}].name", "\N{SNOWMAN}" * 2000) for n in range(1000)])
    failed = await failure(stub.UpdateConfig(pb.UpdateConfigRequest(config=Config())))
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert (failed.details() or "").startswith("configuration rejected: listeners[0].name: \N{SNOWMAN}")


async def test_comment_longer_than_the_maximum_is_rejected(stub: Any, supervisor: Any) -> None:
    await stub.UpdateConfig(pb.UpdateConfigRequest(config=Config(), comment="\N{SNOWMAN}" * COMMENT_LENGTH))
    failed = await failure(
        stub.UpdateConfig(pb.UpdateConfigRequest(config=Config(), comment="x" * (COMMENT_LENGTH + 1)))
    )
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert failed.details() == "comment: 1025 characters, at most 1024 are kept"
    assert len(supervisor.asked) == 1


async def test_validate_config_returns_every_problem(stub: Any, supervisor: Any) -> None:
    supervisor.problems = [Problem(f"listeners[{n}].name", "is missing") for n in range(1000)]
    answer = await stub.ValidateConfig(pb.ValidateConfigRequest(config=Config()))
    assert [(one.path, one.message) for one in answer.problems] == [
        (f"listeners[{n}].name", "is missing") for n in range(1000)
    ]
    supervisor.problems = []
    assert (await stub.ValidateConfig(pb.ValidateConfigRequest(config=Config()))).problems == []


async def test_update_config_without_a_configuration_is_rejected(stub: Any, supervisor: Any) -> None:
    failed = await failure(stub.UpdateConfig(pb.UpdateConfigRequest()))
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT
    message = "missing; a configuration without listeners is an empty message"
    assert failed.details() == f"configuration rejected: config: {message}"
    (problem,) = (await stub.ValidateConfig(pb.ValidateConfigRequest())).problems
    assert (problem.path, problem.message) == ("config", message)
    assert supervisor.asked == []


async def test_configuration_of_4_mib_is_accepted_and_a_larger_one_rejected(stub: Any, supervisor: Any) -> None:
    fitting = Config(listeners=[Listener(name="x" * (MAX_CONFIG_BYTES - 16))])
    await stub.UpdateConfig(pb.UpdateConfigRequest(config=fitting, comment="y" * 1024))
    assert len(supervisor.asked[0]["config"].listeners[0].name) == MAX_CONFIG_BYTES - 16
    larger = Config(listeners=[Listener(name="x" * (MAX_CONFIG_BYTES + (64 << 10)))])
    failed = await failure(stub.UpdateConfig(pb.UpdateConfigRequest(config=larger)))
    assert failed.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_config_service_hides_unexpected_errors_behind_an_incident(
    stub: Any, supervisor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.answer = KeyError("secret")
    with caplog.at_level(logging.ERROR, "answerback"):
        failed = await failure(stub.UpdateConfig(pb.UpdateConfigRequest(config=Config())))
    assert failed.code() == grpc.StatusCode.INTERNAL
    prefix, _, incident = (failed.details() or "").rpartition(" ")
    assert prefix == "internal error"
    (record,) = caplog.records
    assert record.getMessage() == f"internal error {incident} in /answerback.v1.ConfigService/UpdateConfig"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)


# ── The history ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_list_revisions_returns_pages_in_order(stub: Any, supervisor: Any) -> None:
    made = await fill(supervisor.store, 5, comment="why", origin="api", identity="alice")
    first = await stub.ListRevisions(pb.ListRevisionsRequest(page_size=3))
    second = await stub.ListRevisions(pb.ListRevisionsRequest(page_size=3, page_token=first.next_page_token))
    listed = [*first.revisions, *second.revisions]
    assert [(one.number, one.etag) for one in listed] == [(number, f"abc-{number}") for number in (5, 4, 3, 2, 1)]
    assert (listed[0].origin, listed[0].identity, listed[0].comment) == ("api", "alice", "why")
    assert listed[0].time.ToDatetime(UTC) == made[4].time
    assert not listed[0].HasField("config")
    assert second.next_page_token == ""


async def test_list_revisions_with_config_returns_configurations(stub: Any, supervisor: Any) -> None:
    made = await fill(supervisor.store, 2)
    answer = await stub.ListRevisions(pb.ListRevisionsRequest(with_config=True))
    assert [one.config for one in answer.revisions] == [made[1].config, made[0].config]


@pytest.mark.parametrize("request_", [pb.ListRevisionsRequest(page_size=-1), pb.ListRevisionsRequest(page_token="x")])
async def test_list_revisions_with_invalid_page_is_invalid_argument(stub: Any, request_: Any) -> None:
    failed = await failure(stub.ListRevisions(request_))
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_get_revision_returns_it_or_not_found(stub: Any, supervisor: Any) -> None:
    made = await fill(supervisor.store, 2)
    answer = await stub.GetRevision(pb.GetRevisionRequest(revision=1))
    assert (answer.revision.number, answer.revision.config) == (1, made[0].config)
    for number in (0, 3, (1 << 64) - 1):
        failed = await failure(stub.GetRevision(pb.GetRevisionRequest(revision=number)))
        assert failed.code() == grpc.StatusCode.NOT_FOUND


async def test_rollback_config_passes_all_fields_to_the_supervisor(stub: Any, supervisor: Any) -> None:
    request = pb.RollbackConfigRequest(revision=3, etag="abc-7", comment="why", validate_only=True)
    answer = await stub.RollbackConfig(request)
    assert supervisor.asked == [{"number": 3, "etag": "abc-7", "comment": "why", "validate_only": True}]
    assert answer == pb.RollbackConfigResponse(config=BUILT_IN, revision=8, etag="abc-8", changed=True, workers=2)
    failed = await failure(stub.RollbackConfig(pb.RollbackConfigRequest(revision=3, comment="x" * 1025)))
    assert failed.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_watch_config_streams_current_and_new_revisions(stub: Any, supervisor: Any) -> None:
    await fill(supervisor.store, 2)
    watch = stub.WatchConfig(pb.WatchConfigRequest())
    seen = await watch.read()
    assert (seen.revision.number, seen.revision.config.listeners[0].name, seen.skipped) == (2, "of-2", 0)
    await supervisor.store.append(revision(3, store=supervisor.store), after=2)
    assert (await watch.read()).revision.number == 3
    watch.cancel()


async def test_watch_config_continues_after_an_etag(stub: Any, supervisor: Any) -> None:
    await fill(supervisor.store, 3)
    watch = stub.WatchConfig(pb.WatchConfigRequest(after_etag="abc-1"))
    assert [(await watch.read()).revision.number for _ in range(2)] == [2, 3]
    watch.cancel()
    failed = await failure(stub.WatchConfig(pb.WatchConfigRequest(after_etag="xyz-1")).read())
    assert failed.code() == grpc.StatusCode.OUT_OF_RANGE


async def test_watch_config_sends_initial_metadata_at_once(stub: Any, supervisor: Any) -> None:
    await fill(supervisor.store, 1)
    watch = stub.WatchConfig(pb.WatchConfigRequest(after_etag="abc-1"))
    await watch.initial_metadata()
    watch.cancel()


async def test_watch_config_of_slow_client_skips_revisions_and_blocks_no_change(stub: Any, supervisor: Any) -> None:
    """It reads nothing while far more is changed than the connection takes, and than is kept."""
    store = supervisor.store = RevisionsInMemory("abc", Retention(count=10))
    supervisor.history._store = store
    await fill(store, 1)
    watch = stub.WatchConfig(pb.WatchConfigRequest())
    assert (await watch.read()).revision.number == 1
    large = Config(listeners=[Listener(name="x" * 100_000)])
    last = 400
    for number in range(2, last + 1):
        await store.append(revision(number, store=store, config=large), after=number - 1)
        await asyncio.sleep(0)
    number = 1
    missed = 0
    while number < last:
        seen = await watch.read()
        assert seen.revision.number == number + seen.skipped + 1
        number = seen.revision.number
        missed += seen.skipped
    assert missed
    watch.cancel()
