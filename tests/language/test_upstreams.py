"""Upstreams: their addresses, what a listener cannot have beside one, and loops."""

import pytest

from answerback.core import steps
from answerback.core.bounded_counter import CountedFor
from answerback.core.plan import Engine
from answerback.core.upstream import Upstream
from answerback.internal.v1 import link_pb2
from answerback.language.check import check
from answerback.language.compile import compile_plan
from answerback.language.lint import warnings
from answerback.language.upstreams import Place, parse
from tests.language.compiling import only
from tests.language.configurations import listener, problems_of, said

FORM = "write HOST:PORT, like redis.example:6379, 127.0.0.1:6379 or [::1]:6379, or unix:/PATH"
READ = {
    "redis.example:6379": Place("redis.example", 6379),
    "Redis:1": Place("redis", 1),
    "my_host:80": Place("my_host", 80),
    "localhost.:80": Place("localhost.", 80),
    "127.0.0.1:65535": Place("127.0.0.1", 65535),
    "[::1]:80": Place("::1", 80),
    "[0:0::1]:80": Place("::1", 80),
    "[::ffff:10.0.0.1]:80": Place("::ffff:a00:1", 80),
    "unix:/run/./redis.sock": Place("", 0, "/run/redis.sock"),
}
REFUSED = {
    "127.0.0.1": f"{FORM}, not '127.0.0.1'",
    "localhost:http": f"{FORM}, not 'localhost:http'",
    "::1:80": "an IPv6 address goes in brackets, and a port behind it: [::1]:6379, not '::1:80'",
    "a:0": "the port of an upstream is 1 to 65535, not 0",
    "a:65536": "the port of an upstream is 1 to 65535, not 65536",
    "256.0.0.1:80": "'256.0.0.1' is not an IPv4 address",
    "1.2.3:80": "'1.2.3' is not an IPv4 address",
    "[1.2.3.4]:80": "'1.2.3.4' is not an IPv6 address",
    ":80": f"'' is not the name of a host: {FORM}",
    "-a:80": f"'-a' is not the name of a host: {FORM}",
    "a..b:80": f"'a..b' is not the name of a host: {FORM}",
    "a b:80": f"'a b' is not the name of a host: {FORM}",
    "b\u00fccher.example:80": f"'b\u00fccher.example' is not the name of a host: {FORM}",
    "0.0.0.0:80": "0.0.0.0 is an address to listen on; to connect to this machine, write 127.0.0.1 or [::1]",
    "[::]:80": ":: is an address to listen on; to connect to this machine, write 127.0.0.1 or [::1]",
}


@pytest.mark.parametrize("text, place", READ.items())
def test_address_of_an_upstream_is_parsed(text: str, place: Place) -> None:
    assert parse(text) == place


@pytest.mark.parametrize("text, why", REFUSED.items())
def test_address_that_cannot_be_connected_to_is_rejected(text: str, why: str) -> None:
    config = listener(f"upstream: {{address: '{text}'}}")
    assert said(check(config, {})) == [f"listeners[0].upstream.address: {why}"]


def test_name_of_more_than_253_characters_is_rejected() -> None:
    with pytest.raises(ValueError, match="is not the name of a host"):
        parse("a." * 127 + ":80")
    assert parse("a." * 126 + "a:80").port == 80


def test_upstream_alone_is_valid_and_causes_no_warning() -> None:
    config = listener("upstream: redis.example:6379")
    assert check(config, {}) == []
    assert warnings(config) == []


def test_upstream_without_an_address_is_rejected() -> None:
    config = listener("upstream: {connect_timeout: 1s}")
    assert said(check(config, {})) == ["listeners[0].upstream.address: missing: it has no default"]


@pytest.mark.parametrize(
    "timeout, why",
    [
        ("0", "must be more than 0: nothing can be reached in no time"),
        ("11m", "must be 0 to 10m, not 11m"),
    ],
)
def test_connect_timeout_out_of_bounds_is_rejected(timeout: str, why: str) -> None:
    config = listener(f"upstream: {{address: 'a:1', connect_timeout: {timeout}}}")
    assert said(check(config, {})) == [f"listeners[0].upstream.connect_timeout: {why}"]


@pytest.mark.parametrize(
    "field, where, why",
    [
        ("framing: line", "framing", "bytes are passed on as they come, without being split into requests"),
        (
            "tls: {cert: a, key: b, start: ON_STEP}",
            "tls.start",
            "TLS begins with the connection, or the upstream begins it",
        ),
        (
            "faults: [{corrupt: {}}]",
            "faults[0].corrupt",
            "use one of latency, bandwidth, slice, truncate, hang, reset, slow_close, blackhole",
        ),
        (
            "limits: {request_timeout: 1s}",
            "limits.request_timeout",
            "there are no requests: use idle_timeout or lifetime",
        ),
        ("limits: {max_request_bytes: 9}", "limits.max_request_bytes", "there are no requests"),
        (
            "journal: {body_bytes: 9}",
            "journal.body_bytes",
            "the journal keeps one record of each connection, without its bytes",
        ),
    ],
)
def test_field_that_does_nothing_on_a_relay_is_rejected(field: str, where: str, why: str) -> None:
    config = listener(f"upstream: 'a:1'\n{field}")
    (problem,) = said(check(config, {}))
    assert problem.startswith(f"listeners[0].{where}: not with an upstream")
    assert problem.endswith(why)


def test_seed_is_for_a_relay_with_faults_alone() -> None:
    (problem,) = said(check(listener("upstream: 'a:1'\nrandom_seed: 1"), {}))
    assert problem.endswith("not with an upstream without faults: nothing is left to chance")
    assert check(listener("upstream: 'a:1'\nrandom_seed: 1\nfaults: [latency: 1s]"), {}) == []


@pytest.mark.parametrize("direction", ["TO_PEER", "FROM_PEER"])
@pytest.mark.parametrize(
    "fault",
    ["latency: 1s", "bandwidth: {bytes_per_second: 9}", "slice: {size: 9}", "reset: {}", "truncate: {bytes: 1}"],
)
def test_fault_is_compiled_for_its_direction(direction: str, fault: str) -> None:
    config = listener(f"upstream: 'a:1'\nfaults: [{{direction: {direction}, target: CONNECTION, {fault}}}]")
    assert check(config, {}) == []
    plan = compile_plan(
        config,
        {},
        revision=1,
        layouts=lambda _: link_pb2.ListenerLayout(listener="it", faults=[7]),
        default_engine=Engine.CALLBACK,
    ).listeners["it"]
    assert (plan.faults, plan.faults_from_peer) == ((), ())
    from_peer, to_peer = plan.relay_faults
    (compiled,) = from_peer if direction == "FROM_PEER" else to_peer
    assert len(from_peer) + len(to_peer) == 1
    assert (compiled.per_connection, compiled.scope, compiled.cell) == (True, CountedFor.CONNECTION, 7)


def test_truncate_on_a_relay_is_for_connections() -> None:
    (problem,) = said(check(listener("upstream: 'a:1'\nfaults: [truncate: {bytes: 1}]"), {}))
    assert problem == (
        "listeners[0].faults[0].target: with an upstream truncate counts the bytes of a connection: "
        "write target: CONNECTION"
    )


def test_fault_on_a_relay_cannot_name_rules() -> None:
    text = "upstream: 'a:1'\nrules: [{name: a, do: [forward]}]\nfaults: [{rules: [a], latency: 1s}]"
    (problem,) = said(check(listener(text), {}))
    why = "not with an upstream: its faults act on what passes, whatever rule it is of"
    assert problem == f"listeners[0].faults[0].rules: {why}"


def test_fields_that_hold_for_a_relay_are_valid() -> None:
    config = listener(
        "upstream: 'a:1'\njournal: {enabled: false}\nengine: COROUTINE\naccept: HOLD\n"
        "limits: {max_connections: 5, max_connections_per_peer: 2, idle_timeout: 1s, write_timeout: 1s, lifetime: 9s}"
    )
    assert check(config, {}) == []


def chain(*pairs: tuple[str, str]) -> list[str]:
    """What is wrong with listeners of these addresses and upstreams."""
    lines = (
        f"  - {{name: it-{index}, address: '{address}', upstream: '{upstream}'}}"
        for index, (address, upstream) in enumerate(pairs)
    )
    return problems_of("\n".join(["listeners:", *lines]))


@pytest.mark.parametrize(
    "address, upstream",
    [
        ("127.0.0.1:7000", "127.0.0.1:7000"),
        ("127.0.0.1:7000", "localhost:7000"),
        ("0.0.0.0:7000", "127.0.0.1:7000"),
        ("0.0.0.0:7000", "127.9.9.9:7000"),
        ("0.0.0.0:7000", "localhost:7000"),
        ("[::]:7000", "[::1]:7000"),
        ("[::1]:7000", "localhost:7000"),
        ("unix:/run/a.sock", "unix:/run/./a.sock"),
    ],
)
def test_upstream_that_is_its_own_listener_is_rejected(address: str, upstream: str) -> None:
    (problem,) = chain((address, upstream))
    assert problem.endswith(
        f"listeners[0].upstream.address: {upstream} leads back to this listener: its connections would never end"
    )


@pytest.mark.parametrize(
    "address, upstream",
    [
        ("127.0.0.1:7000", "127.0.0.1:7001"),
        ("127.0.0.1:7000", "127.0.0.2:7000"),
        ("127.0.0.1:7000", "[::1]:7000"),
        ("0.0.0.0:7000", "redis.example:7000"),
        ("0.0.0.0:7000", "192.0.2.1:7000"),
        ("[::]:7000", "127.0.0.1:7000"),
        ("127.0.0.1:0", "127.0.0.1:7000"),
        ("unix:/run/a.sock", "unix:/run/b.sock"),
        ("unix:/run/a.sock", "127.0.0.1:7000"),
    ],
)
def test_upstream_elsewhere_is_valid(address: str, upstream: str) -> None:
    assert chain((address, upstream)) == []


def test_loop_through_other_listeners_is_rejected_at_each_of_them() -> None:
    first, second, third = chain(
        ("127.0.0.1:7001", "127.0.0.1:7002"),
        ("0.0.0.0:7002", "localhost:7003"),
        ("127.0.0.1:7003", "127.0.0.1:7001"),
    )
    assert "127.0.0.1:7002 leads back to this listener by way of listeners[1] by way of listeners[2]: " in first
    assert "localhost:7003 leads back to this listener by way of listeners[2] by way of listeners[0]: " in second
    assert "127.0.0.1:7001 leads back to this listener by way of listeners[0] by way of listeners[1]: " in third


def test_listener_before_a_loop_is_not_part_of_it() -> None:
    problems = chain(("127.0.0.1:7001", "127.0.0.1:7002"), ("127.0.0.1:7002", "127.0.0.1:7002"))
    assert [problem.split(": ")[1] for problem in problems] == ["listeners[1].upstream.address"]


def test_relay_to_a_listener_with_rules_is_valid() -> None:
    assert (
        problems_of(
            "listeners:\n"
            "  - {name: relay, address: '127.0.0.1:7001', upstream: '127.0.0.1:7002'}\n"
            "  - {name: echo, address: '127.0.0.1:7002', rules: [{do: [echo]}]}\n"
        )
        == []
    )


@pytest.mark.parametrize(
    "text, upstream",
    [
        ("'a:1'", Upstream("a", 1, "", 5.0)),
        ("{address: '[::1]:1', connect_timeout: 250ms}", Upstream("::1", 1, "", 0.25)),
        ("unix:/run/a.sock", Upstream("", 0, "/run/a.sock", 5.0)),
    ],
)
def test_upstream_is_compiled_with_its_default(text: str, upstream: Upstream) -> None:
    config = listener(f"upstream: {text}")
    plan = compile_plan(
        config,
        {},
        revision=1,
        layouts=lambda _: link_pb2.ListenerLayout(listener="it"),
        default_engine=Engine.CALLBACK,
    )
    assert plan.listeners["it"].upstream == upstream
    assert str(upstream) == {"a": "a:1", "::1": "[::1]:1", "": "unix:/run/a.sock"}[upstream.host]


def test_name_that_other_tools_have_for_an_upstream_is_rejected_with_ours() -> None:
    (problem,) = problems_of("listeners: [{name: a, address: '127.0.0.1:7001', proxy: 'b:1'}]")
    assert problem.endswith("`proxy` is called `upstream` here")


RULES = "rules: [{when: PING, do: [forward]}, {event: UPSTREAM_DOWN, do: [send: {template: '${upstream.error}'}]}]"


def test_fields_that_hold_with_rules_are_valid() -> None:
    config = listener(
        "upstream: {address: 'a:1', connect: ON_FORWARD}\nframing: line\njournal: {body_bytes: 9}\nrandom_seed: 1\n"
        f"limits: {{request_timeout: 1s, max_request_bytes: 9}}\n{RULES}"
    )
    assert check(config, {}) == []
    assert warnings(config) == []
    plan = only(config)
    assert plan.upstream == Upstream("a", 1, "", 5.0, on_forward=True)
    assert not plan.streams
    assert [rule.steps for rule in plan.on_request.in_order] == [(steps.FORWARD,)]
    assert len(plan.on_upstream_down.in_order) == 1


@pytest.mark.parametrize("event", ["UPSTREAM_DOWN", "LIMIT"])
def test_rule_before_anything_passes_leaves_a_stream(event: str) -> None:
    rule = f"rules: [{{event: {event}, do: [send: x]}}]"
    config = listener(f"upstream: 'a:1'\nlimits: {{max_connections: 1}}\n{rule}")
    assert check(config, {}) == []
    assert warnings(config) == []
    assert only(config).streams
    (problem,) = said(check(listener(f"upstream: 'a:1'\nframing: line\n{rule}"), {}))
    assert problem.startswith("listeners[0].framing: not with an upstream without rules:")


def test_script_for_a_stream_that_is_down_closes_in_order() -> None:
    texts = ("do: [send: x]", "replies: {of: [[send: x], [send: y]]}")
    for text in texts:
        (rule,) = only(
            listener(f"upstream: 'a:1'\nrules: [{{event: UPSTREAM_DOWN, {text}}}]")
        ).on_upstream_down.in_order
        scripts = [rule.steps] if rule.replies is None else rule.replies.replies
        assert {script[-1] for script in scripts} == {steps.END_AS_UPSTREAM_DOWN}


@pytest.mark.parametrize(
    "text, problem",
    [
        (
            "upstream: 'a:1'\ntls: {cert: a, key: b, start: ON_STEP}\nrules: [{do: [start_tls]}]",
            "tls.start: not with an upstream: TLS begins with the connection, or the upstream begins it",
        ),
        ("rules: [{do: [forward]}]", "rules[0].do[0].forward: the listener has no upstream"),
        ("rules: [{event: UPSTREAM_DOWN}]", "rules[0].event: the listener has no upstream"),
        (
            "rules: [{do: [send: {template: '${upstream.error}'}]}]",
            "rules[0].do[0].send.template: upstream.error is only known on a listener with `upstream` (at character 3)",
        ),
        (
            "upstream: 'a:1'\nrules: [{do: [forward, echo, forward]}]",
            "rules[0].do[2].forward: a request is forwarded once",
        ),
        (
            "upstream: 'a:1'\nrules: [{event: EOF, do: [forward]}]",
            "rules[0].do[0].forward: only in rules on REQUEST and REPLY: there is nothing to forward",
        ),
        (
            "upstream: 'a:1'\nrules: [{do: [half_close]}]",
            "rules[0].do[0].half_close: not with an upstream, whose replies could not be passed on: use close",
        ),
        (
            "upstream: {address: 'a:1', connect: ON_FORWARD}",
            "upstream.connect: ON_FORWARD is for listeners with rules: without, all is passed on",
        ),
    ],
)
def test_step_or_field_that_cannot_be_is_rejected(text: str, problem: str) -> None:
    (found,) = said(check(listener(text), {}))
    assert found == f"listeners[0].{problem}"


def test_lint_warns_that_a_local_answer_may_overtake() -> None:
    """Once, at the first step that sends."""
    config = listener(
        "upstream: 'a:1'\nrules: [{when: a, do: [forward]}, {when: b, do: [delay: 1s, echo]}, {do: [echo]}]"
    )
    (warning,) = warnings(config)
    assert warning.path == "listeners[0].rules[1].do[1]"
    assert warning.message.startswith(
        "is sent at once: it may overtake what the upstream replies to an earlier request"
    )
    assert warnings(listener("rules: [{do: [echo]}]")) == []
