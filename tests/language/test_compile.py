import subprocess
import sys
from math import inf

import pytest
from hypothesis import given

from answerback.core.actions import Send
from answerback.core.bounded_counter import CountedFor
from answerback.core.framing import Read
from answerback.core.plan import Engine, Limits
from answerback.core.steps import END_IN_ORDER, Wait
from answerback.document.document import load
from answerback.language.builtin import BUILT_IN
from answerback.language.compile import compile_plan
from answerback.language.limits import compile_limits
from answerback.language.problems import InvalidConfig
from answerback.language.rules import rule_key
from answerback.v1 import config_pb2 as v1
from tests.language.compiling import RequestContext, compiled, only, selected
from tests.language.configurations import WHOLE, WHOLE_FILES, listener, places, rule
from tests.language.strategies import configs, few


@few
@given(configs())
def test_every_valid_configuration_compiles(config: v1.Config) -> None:
    plan = compiled(config)
    assert list(plan.listeners) == [each.name for each in config.listeners]


def test_builtin_configuration_compiles_to_its_plan() -> None:
    plan = compiled(BUILT_IN)
    assert plan.revision == 7
    hello = plan.listeners["hello"]
    assert (hello.name, hello.address, hello.socket, hello.block) == ("hello", "0.0.0.0:8000", "socket 0", 0)
    assert hello.framing == Read(1024)
    assert hello.limits == Limits()
    assert hello.random_seed is None
    assert not hello.on_connect
    chosen = selected(BUILT_IN, RequestContext(b"anything"))
    assert chosen is not None
    assert chosen.steps == (Send(b"Hello, World!"), END_IN_ORDER)
    assert (chosen.name, chosen.cell) == ("rules[0]", 500)


EVENTS = ["request", "connect", "idle", "eof", "drain"]


@pytest.mark.parametrize("event", EVENTS)
def test_event_rules_are_compiled_in_the_order_written(event: str) -> None:
    rules = ", ".join(f"{{event: {each.upper()}, name: {each}-{n}}}" for n in "12" for each in EVENTS)
    plan = only(listener(f"rules: [{rules}, {{event: {event}, in_states: [late], name: late}}]"))
    found = getattr(plan, f"on_{event}").selector_for("").search(b"", RequestContext())
    assert (found.name, found.cell) == (f"{event}-1", 500 + EVENTS.index(event))


def test_rule_without_an_event_is_for_requests() -> None:
    plan = only(listener("rules: [{}]"))
    assert plan.on_request
    assert not plan.on_connect


def test_rule_compiles_with_its_states_and_counts() -> None:
    chosen = selected(listener("rules: [{in_states: [''], times: 3, scope: CONNECTION}, {}]"), RequestContext())
    assert chosen is not None
    assert (chosen.in_states, chosen.times, chosen.scope) == (("",), 3, CountedFor.CONNECTION)
    chosen = selected(listener("rules: [{in_states: [a]}, {times: 1, scope: LISTENER}]"), RequestContext())
    assert chosen is not None
    assert (chosen.name, chosen.times, chosen.scope) == ("rules[1]", 1, CountedFor.LISTENER)


@pytest.mark.parametrize(
    "text, counts",
    {
        "rules: [{times: 1, scope: PEER}]": True,
        "rules: [{replies: {of: [[], []]}, scope: PEER}]": True,
        "rules: [{event: TICK, interval: 1s, times: 1, scope: PEER}]": True,
        "rules: [{scope: PEER}]": False,
        "rules: [{times: 1, scope: CONNECTION}, {times: 1}]": False,
        "faults: [{skip: 1, scope: PEER, drop: {}}]": True,
        "faults: [{every: 2, scope: PEER, drop: {}}]": True,
        "faults: [{times: 2, scope: PEER, direction: FROM_PEER, bandwidth: {bytes_per_second: 1}}]": True,
        "faults: [{scope: PEER, drop: {}}]": False,
        "faults: [{skip: 1, drop: {}}]": False,
    }.items(),
)
def test_listener_notes_its_peers_only_if_something_counts_for_each(text: str, counts: bool) -> None:
    assert only(listener(text)).counts_peers is counts


def test_rule_on_limit_notes_the_peers_that_it_counts_for() -> None:
    limits = "limits: {max_connections: 1}\nrules: [{event: LIMIT, times: 1, scope: PEER}]"
    for text, counts in {limits: True, limits.replace("PEER", "LISTENER"): False}.items():
        plan = only(listener(text)).on_limit
        assert plan is not None
        assert plan.counts_peers is counts


def test_rule_and_fault_compile_with_their_windows() -> None:
    plan = only(listener("rules: [{times: 3, per: 1m1.5s}]\nfaults: [{times: 1, per: 250ms, drop: {}}]"))
    assert [each.window_seconds for each in plan.on_request.in_order] == [61.5]
    assert [each.window_seconds for each in plan.faults] == [0.25]


def test_compiled_rule_has_its_cell_and_sequence_cell() -> None:
    config = rule("times: 2")
    chosen = selected(config, RequestContext())
    assert chosen is not None
    assert (chosen.cell, chosen.sequence_cell) == (500, 800)
    where = places(config)
    where["it"].ClearField("counters")
    plan = compile_plan(config, {}, revision=1, layouts=where.__getitem__, default_engine=Engine.CALLBACK)
    uncounted = plan.listeners["it"].on_request.selector_for("").search(b"", RequestContext())
    assert uncounted is not None
    assert uncounted.sequence_cell == 0


@pytest.mark.parametrize("seed", ["0", "18446744073709551615"])
def test_listener_compiles_with_its_random_seed(seed: str) -> None:
    assert only(listener(random_seed=seed)).random_seed == int(seed)


def test_rule_cells_and_names_follow_the_order_written() -> None:
    plan = compiled(load(WHOLE).config, WHOLE_FILES)
    first, second, *_ = plan.listeners.values()
    assert first.rule_names[:4] == ("greeting", "rules[1]", "rules[2]", "rules[3]")
    assert (first.block, second.block) == (0, 1000)
    ping = first.on_request.selector_for("").search(b"PING", RequestContext())
    assert ping is not None
    assert (ping.name, ping.cell, ping.equals) == ("rules[1]", 501, b"PING")
    assert ping.steps[:3] == (Send(b"+PONG"), Send(b"\0"), Wait(90.0))
    filed = first.on_request.selector_for("").search(b"a whole fuzz", RequestContext())
    assert filed is not None
    assert filed.steps == (Send(b"from a file"),)


def test_listener_engine_defaults_to_the_option() -> None:
    plan = compiled(load(WHOLE).config, WHOLE_FILES, Engine.CALLBACK)
    given = [Engine.CALLBACK, Engine.COROUTINE, Engine.CALLBACK, Engine.CALLBACK]
    assert [each.engine for each in plan.listeners.values()] == given
    for engine in Engine:
        assert compiled(BUILT_IN, engine=engine).listeners["hello"].engine is engine


def test_limits_are_compiled_with_their_defaults() -> None:
    assert compile_limits(v1.Limits()) == Limits()
    given_limits = load(WHOLE).config.listeners[0].limits
    assert compile_limits(given_limits) == Limits(10, 2, 1.5, 0.3, inf, 3600.0, 4096)
    nothing = listener(limits="{idle_timeout: 0, request_timeout: 0s, max_connections: 0}").listeners[0].limits
    assert compile_limits(nothing) == Limits(idle_timeout=inf, request_timeout=inf)


def test_rule_is_counted_by_its_name_or_its_index() -> None:
    assert rule_key(v1.Rule(name="ping"), 3) == "ping"
    assert rule_key(v1.Rule(), 3) == "rules[3]"


UNCHECKED = {
    "rules: [{do: [{}]}]": "a step says nothing",
    "rules: [{when: {}}]": "a condition says nothing",
    "rules: [{when: {regex: '('}}]": "missing ): (",
    "rules: [{do: [send: {file: f}]}]": "the file was not read",
    "rules: [{do: [send: {hex: a}]}]": "odd number of digits",
    "rules: [{do: [send: {template: '$'}]}]": "at 0: a single $: write $$ for a dollar, ${…} for a value",
    "rules: [{do: [dribble: {payload: a}]}]": "a dribble has no pieces",
    "rules: [{replies: {}}]": "there are no replies",
    "framing: {delimiter: {}}": "empty: set one of text, hex, base64, file",
    "framing: {fixed: {}}": "a request of fixed size has at least one byte, not 0",
    "framing: {fixed: {size_from: '1'}}": "a size that is settled when a step runs is no listener's own",
    "framing: {length_prefix: {width: 9}}": "a BIG_ENDIAN length has 1 to 8 bytes, not 9",
    "framing: {pattern: {end: '$'}}": "$ cannot be used where a pattern ends a request",
}


@pytest.mark.parametrize("text, why", UNCHECKED.items())
def test_compile_of_unchecked_invalid_listener_is_rejected(text: str, why: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        compiled(listener(text))
    assert str(caught.value) == f"listeners[0]: cannot be compiled: {why}"


def test_compile_with_missing_cells_is_rejected() -> None:
    config = rule("do: [close]")
    where = places(config)
    config.listeners[0].rules.add()
    with pytest.raises(InvalidConfig):
        compile_plan(config, {}, revision=1, layouts=where.__getitem__, default_engine=Engine.CALLBACK)


def test_compiling_imports_no_heavy_library() -> None:
    script = (
        "import sys; from answerback.language import compile; print(*sorted(set(sys.modules) &"
        "{'yaml', 're2', 'difflib', 'grpc', 'json', 'answerback.document'}))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


@pytest.mark.parametrize(
    "used",
    [
        'rules: [{do: [send: {template: "${connection.number}"}]}]',
        'rules: [{when: {expr: "(connection) . number == 1"}}]',
        'rules: [{event: CONNECT, do: [receive: {framing: {fixed: {size_from: "connection.number"}}, into: x}]}]',
        'rules: [{replies: {of: [[], [set: {name: x, value: {template: "${connection.number}"}}]]}}]',
    ],
)
def test_listener_numbers_its_connections_only_if_an_expression_uses_it(used: str) -> None:
    assert only(listener(used)).numbers_connections
    assert not only(
        listener(used.replace("number", "id").replace("id == 1", "id == '1'").replace('"connection.id"', '"1"'))
    ).numbers_connections


def test_text_that_is_no_expression_does_not_number_connections() -> None:
    assert not only(listener("rules: [{do: [send: connection.number]}]")).numbers_connections
