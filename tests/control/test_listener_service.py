"""answerback.v1.ListenerService, over the wire."""

from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc.error_details_pb2 import BadRequest
from grpc import aio
from grpc_status import rpc_status

from answerback.document.document import load
from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor import EtagMismatch
from answerback.v1 import listener_service_pb2 as pb
from answerback.v1.config_pb2 import Listener
from answerback.v1.listener_service_pb2_grpc import ListenerServiceStub
from tests.control.conftest import REVISION

CONFIG = load("listeners: [{name: b, address: '127.0.0.1:2'}, {name: a, address: '127.0.0.1:1'}]").config
B, A = CONFIG.listeners
NEW = Listener(name="c", address="127.0.0.1:3")


@pytest.fixture
def stub(channel: aio.Channel, supervisor: Any) -> Any:
    supervisor.current = replace(REVISION, config=CONFIG)
    return ListenerServiceStub(channel)


async def failure(call: Any, code: grpc.StatusCode) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert caught.value.code() == code
    return caught.value


def violations(error: Any) -> list[str]:
    """The fields at fault."""
    status, found = rpc_status.from_call(error), BadRequest()
    assert status is not None
    assert status.details[1].Unpack(found)
    return [one.field for one in found.field_violations]


async def test_list_listeners_returns_all_with_revision_and_etag(stub: Any) -> None:
    assert await stub.ListListeners(pb.ListListenersRequest()) == pb.ListListenersResponse(
        listeners=[A, B], revision=7, etag="abc-7"
    )


async def test_list_listeners_returns_pages_and_rejects_a_bad_token(stub: Any) -> None:
    first = await stub.ListListeners(pb.ListListenersRequest(page_size=1))
    second = await stub.ListListeners(pb.ListListenersRequest(page_size=1, page_token=first.next_page_token))
    assert ([*first.listeners, *second.listeners], second.next_page_token) == ([A, B], "")
    bad = await failure(stub.ListListeners(pb.ListListenersRequest(page_token="?")), grpc.StatusCode.INVALID_ARGUMENT)
    assert violations(bad) == ["page_token"]


async def test_get_listener_returns_it_or_not_found(stub: Any) -> None:
    assert await stub.GetListener(pb.GetListenerRequest(name="a")) == pb.GetListenerResponse(
        listener=A, revision=7, etag="abc-7"
    )
    await failure(stub.GetListener(pb.GetListenerRequest(name="c")), grpc.StatusCode.NOT_FOUND)


async def test_create_listener_adds_it_or_already_exists(stub: Any, supervisor: Any) -> None:
    answer = await stub.CreateListener(
        pb.CreateListenerRequest(listener=NEW, etag="abc-7", comment="why", validate_only=True)
    )
    assert answer == pb.CreateListenerResponse(listener=NEW, revision=8, etag="abc-8", changed=True, workers=2)
    (asked,) = supervisor.asked
    assert list(asked.pop("config").listeners) == [B, A, NEW]
    assert asked == {"etag": "abc-7", "comment": "why", "validate_only": True}
    await failure(stub.CreateListener(pb.CreateListenerRequest(listener=A)), grpc.StatusCode.ALREADY_EXISTS)


async def test_update_listener_with_full_mask_replaces_it(stub: Any, supervisor: Any) -> None:
    asked = Listener(name="a", address="127.0.0.1:9")
    answer = await stub.UpdateListener(pb.UpdateListenerRequest(listener=asked, update_mask=FieldMask(paths=["*"])))
    assert answer == pb.UpdateListenerResponse(listener=asked, revision=8, etag="abc-8", changed=True, workers=2)
    assert list(supervisor.asked[0]["config"].listeners) == [B, asked]


async def test_update_listener_of_unknown_name_is_not_found_unless_allowed(stub: Any, supervisor: Any) -> None:
    await failure(stub.UpdateListener(pb.UpdateListenerRequest(listener=NEW)), grpc.StatusCode.NOT_FOUND)
    await stub.UpdateListener(pb.UpdateListenerRequest(listener=NEW, allow_missing=True))
    assert list(supervisor.asked[0]["config"].listeners) == [B, A, NEW]


async def test_update_mask_with_unknown_fields_is_rejected_with_each_path(stub: Any) -> None:
    request = pb.UpdateListenerRequest(listener=A, update_mask=FieldMask(paths=["adress", "rules", "limits.x"]))
    bad = await failure(stub.UpdateListener(request), grpc.StatusCode.INVALID_ARGUMENT)
    assert violations(bad) == ["update_mask.paths[0]", "update_mask.paths[2]"]


async def test_delete_listener_removes_it_or_not_found(stub: Any, supervisor: Any) -> None:
    answer = await stub.DeleteListener(pb.DeleteListenerRequest(name="b"))
    assert answer == pb.DeleteListenerResponse(revision=8, etag="abc-8", changed=True, workers=2)
    assert list(supervisor.asked[0]["config"].listeners) == [A]
    await failure(stub.DeleteListener(pb.DeleteListenerRequest(name="c")), grpc.StatusCode.NOT_FOUND)
    await stub.DeleteListener(pb.DeleteListenerRequest(name="c", allow_missing=True))


@pytest.mark.parametrize("method", ["Create", "Update"])
async def test_create_or_update_without_a_listener_is_rejected(stub: Any, method: str) -> None:
    request = getattr(pb, f"{method}ListenerRequest")()
    bad = await failure(getattr(stub, f"{method}Listener")(request), grpc.StatusCode.INVALID_ARGUMENT)
    assert violations(bad) == ["listener"]


async def test_listener_problem_is_reported_by_its_path_in_the_request(stub: Any, supervisor: Any) -> None:
    supervisor.answer = InvalidConfig(
        [
            Problem("listeners[1].rules[0].do", "no"),
            Problem("listeners[1]", "no"),
            Problem("listeners[0].address", "no"),
        ]
    )
    bad = await failure(stub.UpdateListener(pb.UpdateListenerRequest(listener=A)), grpc.StatusCode.INVALID_ARGUMENT)
    assert violations(bad) == ["listener.rules[0].do", "listener", "listeners[0].address"]


async def test_delete_listener_with_stale_etag_is_aborted(stub: Any, supervisor: Any) -> None:
    supervisor.answer = EtagMismatch("abc-9")
    await failure(stub.DeleteListener(pb.DeleteListenerRequest(name="a", etag="x")), grpc.StatusCode.ABORTED)


async def test_listener_change_with_too_long_comment_is_rejected(stub: Any) -> None:
    request = pb.DeleteListenerRequest(name="a", comment="x" * 1025)
    assert violations(await failure(stub.DeleteListener(request), grpc.StatusCode.INVALID_ARGUMENT)) == ["comment"]
