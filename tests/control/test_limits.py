"""How many calls at a time."""

from contextlib import ExitStack

import pytest

from answerback.control.authorisation import CHANGES, READS
from answerback.control.limits import MOST, STREAMS, Kind, Limits, TooManyCalls, kind_of
from answerback.control.schema import POOL


def test_past_the_limit_it_is_refused_until_one_is_over() -> None:
    limits = Limits({Kind.WATCH: 2, Kind.READ: 1})
    with ExitStack() as stack:
        stack.enter_context(limits.place(Kind.WATCH))
        with limits.place(Kind.WATCH):
            with pytest.raises(TooManyCalls) as caught, limits.place(Kind.WATCH):
                pytest.fail("there was no room")
            assert str(caught.value) == "2 watches at a time are all there may be; try again later"
            with limits.place(Kind.READ):
                pass  # is counted apart
        stack.enter_context(limits.place(Kind.WATCH))


def test_what_fails_gives_its_place_back() -> None:
    limits = Limits({Kind.CHANGE: 1})
    for _ in range(3):
        with pytest.raises(KeyError), limits.place(Kind.CHANGE):
            raise KeyError


def test_every_kind_has_a_limit_and_a_connection_has_room_for_all_of_them() -> None:
    assert set(MOST) == set(Kind)
    assert sum(MOST.values()) < STREAMS


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
def test_what_each_method_is(method: str, streaming: bool, kind: Kind) -> None:
    assert kind_of(method, streaming=streaming) is kind


@pytest.mark.parametrize("service", sorted({*READS, *CHANGES}))
def test_no_watch_is_counted_with_what_ends(service: str) -> None:
    for method in POOL.FindServiceByName(service).methods:  # type: ignore[no-untyped-call]
        kind = kind_of(f"/{service}/{method.name}", streaming=method.server_streaming)
        if method.server_streaming:
            assert kind not in {Kind.PROBE, Kind.READ}
        else:
            assert kind not in {Kind.WATCH, Kind.HEALTH_WATCH}
