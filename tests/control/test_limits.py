"""Limits for concurrent calls and their bytes."""

import asyncio

import pytest

from answerback.control import limits as limits_module
from answerback.control.authorisation import CHANGES, READS
from answerback.control.limits import MOST, STREAMS, Kind, Limits, TooManyBytes, TooManyCalls, kind_of
from answerback.control.schema import POOL


def test_call_past_the_limit_is_rejected_until_one_ends() -> None:
    limits = Limits({Kind.WATCH: 2, Kind.READ: 1})
    limits.enter(Kind.WATCH)
    share = limits.enter(Kind.WATCH)
    with pytest.raises(TooManyCalls) as caught:
        limits.enter(Kind.WATCH)
    assert str(caught.value) == "2 watches at a time is the maximum; try again later"
    limits.enter(Kind.READ)  # is counted apart
    share.leave()
    limits.enter(Kind.WATCH)


def test_call_slot_released_twice_is_freed_once() -> None:
    limits = Limits({Kind.CHANGE: 1})
    share = limits.enter(Kind.CHANGE)
    share.leave()
    share.leave()
    limits.enter(Kind.CHANGE)
    with pytest.raises(TooManyCalls):
        limits.enter(Kind.CHANGE)


def test_calls_of_a_kind_share_a_maximum_of_bytes() -> None:
    limits = Limits(call_bytes=100)
    places = [limits.enter(Kind.READ) for _ in range(3)]
    places[0].reserve(60)
    places[1].reserve(40)
    with pytest.raises(TooManyBytes) as caught:
        places[2].reserve(1)
    assert str(caught.value) == "reads in progress hold 100 bytes, which is the maximum; try again later"
    limits.enter(Kind.CHANGE).reserve(100)  # is counted apart
    places[0].leave()
    places[2].reserve(60)
    with pytest.raises(TooManyBytes):
        places[2].reserve(1)


def test_single_call_may_exceed_the_maximum_of_bytes() -> None:
    limits = Limits(call_bytes=100)
    large, other = limits.enter(Kind.READ), limits.enter(Kind.READ)
    large.reserve(1000)
    with pytest.raises(TooManyBytes):
        other.reserve(1)
    large.release()
    other.reserve(1)


def test_finished_call_reserves_no_bytes() -> None:
    limits = Limits(call_bytes=100)
    share, other = limits.enter(Kind.READ), limits.enter(Kind.READ)
    share.leave()
    share.reserve(100)  # its client has left while it was being answered
    share.release()
    other.reserve(100)


def test_response_as_large_as_the_last_one_of_its_method_must_have_room() -> None:
    limits = Limits(call_bytes=100)
    limits.enter(Kind.READ).reserve(60)
    limits.note_answer("/large", 41)
    limits.note_answer("/small", 40)
    with pytest.raises(TooManyBytes):
        limits.expect_answer(Kind.READ, "/large")
    for kind, method in ((Kind.READ, "/small"), (Kind.READ, "/unknown"), (Kind.PROBE, "/large")):
        limits.expect_answer(kind, method)
    limits.note_answer("/large", 40)
    limits.expect_answer(Kind.READ, "/large")


async def test_watch_waits_until_bytes_are_free() -> None:
    limits = Limits(call_bytes=100)
    first, second = limits.enter(Kind.WATCH), limits.enter(Kind.WATCH)
    await first.reserve_when_free(100)
    waiting = asyncio.create_task(second.reserve_when_free(50))
    await asyncio.sleep(0)
    assert not waiting.done()
    first.release()
    await waiting
    with pytest.raises(TooManyBytes):
        first.reserve(51)


async def test_watch_without_free_bytes_in_time_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "ROOM_SECONDS", 0.01)
    limits = Limits(call_bytes=100)
    limits.enter(Kind.WATCH).reserve(100)
    with pytest.raises(TooManyBytes):
        await limits.enter(Kind.WATCH).reserve_when_free(1)


def test_each_kind_of_call_has_a_limit_below_the_streams_of_a_connection() -> None:
    assert set(MOST) == set(Kind)
    assert max(MOST.values()) < STREAMS


@pytest.mark.parametrize(
    "method, streaming, kind",
    [
        ("/grpc.health.v1.Health/Check", False, Kind.PROBE),
        ("/grpc.health.v1.Health/List", False, Kind.PROBE),
        ("/grpc.health.v1.Health/Watch", True, Kind.HEALTH_WATCH),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", True, Kind.REFLECTION),
        ("/answerback.v1.ConfigService/GetConfig", False, Kind.READ),
        ("/answerback.v1.ConfigService/WatchConfig", True, Kind.WATCH),
        ("/answerback.v1.ConfigService/UpdateConfig", False, Kind.CHANGE),
        ("/answerback.v1.OperationsService/RestartWorkers", True, Kind.CHANGE),
    ],
)
def test_limit_kind_of_each_method_is_known(method: str, streaming: bool, kind: Kind) -> None:
    assert kind_of(method, streaming=streaming) is kind


@pytest.mark.parametrize("service", sorted({*READS, *CHANGES}))
def test_streaming_methods_have_limits_of_their_own(service: str) -> None:
    for method in POOL.FindServiceByName(service).methods:  # type: ignore[no-untyped-call]
        kind = kind_of(f"/{service}/{method.name}", streaming=method.server_streaming)
        if method.server_streaming:
            assert kind not in {Kind.PROBE, Kind.READ}
        else:
            assert kind not in {Kind.WATCH, Kind.HEALTH_WATCH}


def test_equal_responses_share_one_copy() -> None:
    limits = Limits()
    first, again, other = bytes(1000), bytes(bytearray(1000)), bytes(999)
    assert again is not first
    assert limits.shared(first) is first
    assert limits.shared(again) is first
    assert limits.shared(other) is other
