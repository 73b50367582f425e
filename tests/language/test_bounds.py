import resource

import pytest
from google.protobuf.duration_pb2 import Duration

from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, said


def problems(config: v1.Config, descriptor_limit: int | None = None) -> list[str]:
    found = check(config, {}, descriptor_limit=descriptor_limit)
    return [line.removeprefix("listeners[0].") for line in said(found)]


REQUESTS = {"0": False, "1": True, "67108864": True, "67108865": False}


@pytest.mark.parametrize("size, right", REQUESTS.items())
def test_max_request_bytes_out_of_bounds_is_rejected(size: str, right: bool) -> None:
    config = listener(limits=f"{{max_request_bytes: {size}}}")
    assert problems(config) == ([] if right else [f"limits.max_request_bytes: must be 1 to 67108864, not {size}"])


@pytest.mark.parametrize("field", ["idle_timeout", "request_timeout", "write_timeout", "lifetime"])
def test_timeout_outside_0_to_8760h_is_rejected(field: str) -> None:
    for right in ("0", "1ns", "8760h"):
        assert problems(listener(limits=f"{{{field}: {right}}}")) == []
    for wrong in ("-1ns", "8760h0.000000001s"):
        assert problems(listener(limits=f"{{{field}: {wrong}}}")) == [
            f"limits.{field}: must be 0 to 8760h, not {'-1ns' if wrong == '-1ns' else '8760h1ns'}",
        ]


NO_DURATIONS = [
    Duration(seconds=1, nanos=-1),
    Duration(seconds=-1, nanos=1),
    Duration(nanos=10**9),
    Duration(nanos=-(10**9)),
]


@pytest.mark.parametrize("duration", NO_DURATIONS)
def test_invalid_duration_message_is_rejected(duration: Duration) -> None:
    assert problems(
        v1.Config(listeners=[v1.Listener(name="a", address="1.1.1.1:1", limits=v1.Limits(lifetime=duration))])
    ) == [
        "limits.lifetime: no duration: nanos are less than a second, and have the sign of seconds",
    ]


def test_unknown_enum_numbers_are_rejected() -> None:
    config = listener("rules: [{}]")
    config.listeners[0].engine = 7  # type: ignore[assignment]
    config.listeners[0].rules[0].event = -1  # type: ignore[assignment]
    config.listeners[0].rules[0].scope = 4  # type: ignore[assignment]
    config.listeners[0].rules[0].replies.of.add()
    config.listeners[0].rules[0].replies.then = 5  # type: ignore[assignment]
    assert problems(config) == [
        "engine: there is no value 7; known: ENGINE_CALLBACK, ENGINE_COROUTINE",
        f"rules[0].event: there is no value -1; known: {', '.join(v1.Event.keys()[1:])}",
        "rules[0].scope: there is no value 4; known: SCOPE_LISTENER, SCOPE_CONNECTION, SCOPE_PEER",
        "rules[0].replies.then: there is no value 5; known: THEN_REPEAT_LAST, THEN_CYCLE, THEN_NEXT_RULE, THEN_RANDOM",
    ]


def test_max_connections_beyond_the_descriptor_limit_is_rejected() -> None:
    config = listener(limits="{max_connections: 1025}")
    assert problems(config) == problems(config, 1025) == problems(config, resource.RLIM_INFINITY) == []
    assert problems(config, 1024) == [
        "limits.max_connections: 1025 is past the hard limit of 1024 descriptors (ulimit -Hn)"
    ]
    assert problems(listener(limits="{max_connections: 0}"), 10) == []
