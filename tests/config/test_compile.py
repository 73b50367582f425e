import subprocess
import sys
from math import inf

import pytest
from hypothesis import given

from answerback.config import BUILT_IN, Refused
from answerback.config.compile import compile_plan, framing_of, limits_of, rule_key
from answerback.config.document import load
from answerback.core.actions import Send
from answerback.core.framing import Line, Read
from answerback.core.plan import Engine, Limits, ListenerPlan, Plan, Rule
from answerback.core.steps import END_BY_RESET, END_IN_ORDER, Wait
from answerback.v1 import config_pb2 as v1
from tests.config.configurations import AGENT_CHECK, WHOLE, listener, places, rule
from tests.config.strategies import configs, few


def compiled(config: v1.Config, files: dict[str, bytes] | None = None, engine: Engine = Engine.CALLBACK) -> Plan:
    where = places(config)
    return compile_plan(config, files or {}, revision=7, places=where.__getitem__, default_engine=engine)


def only(config: v1.Config, files: dict[str, bytes] | None = None) -> ListenerPlan:
    (plan,) = compiled(config, files).listeners.values()
    return plan


def selected(config: v1.Config, request: bytes) -> Rule | None:
    return only(config).on_request.select(request)


@few
@given(configs())
def test_what_is_right_can_be_compiled(config: v1.Config) -> None:
    plan = compiled(config)
    assert list(plan.listeners) == [each.name for each in config.listeners]


def test_the_built_in_configuration() -> None:
    plan = compiled(BUILT_IN)
    assert plan.revision == 7
    hello = plan.listeners["hello"]
    assert (hello.name, hello.address, hello.socket, hello.block) == ("hello", "0.0.0.0:8000", "socket 0", 0)
    assert hello.framing == Read(1024)
    assert hello.limits == Limits()
    assert hello.on_connect is None
    chosen = hello.on_request.select(b"anything")
    assert chosen is not None
    assert chosen.steps == (Send(b"Hello, World!"), END_IN_ORDER)
    assert (chosen.name, chosen.place) == ("rules[0]", 500)


def test_the_first_rule_on_connect_acts_and_is_not_among_those_for_requests() -> None:
    plan = only(load(AGENT_CHECK).config)
    assert plan.on_connect is not None
    assert plan.on_connect.steps == (Send(b"up ready 75%\n"), END_IN_ORDER)
    assert plan.on_request.select(b"x") is None
    two = only(listener("rules: [{when: a}, {event: CONNECT, do: [reset]}, {event: CONNECT, do: [close]}]"))
    assert two.on_connect is not None
    assert (two.on_connect.name, two.on_connect.steps, two.on_connect.place) == ("rules[1]", (END_BY_RESET,), 501)


def test_places_and_names_go_by_the_order_written() -> None:
    plan = compiled(load(WHOLE).config, {"reply.bin": b"from a file"})
    first, second = plan.listeners.values()
    assert first.rule_names == ("greeting", "rules[1]", "rules[2]", "rules[3]")
    assert (first.block, second.block) == (0, 1000)
    ping = first.on_request.select(b"PING")
    assert ping is not None
    assert (ping.name, ping.place, ping.equals) == ("rules[1]", 501, b"PING")
    assert ping.steps[:2] == (Send(b"+PONG"), Wait(90.0))
    filed = first.on_request.select(b"a whole fuzz")
    assert filed is not None
    assert filed.steps == (Send(b"from a file"),)


def test_engines() -> None:
    plan = compiled(load(WHOLE).config, {"reply.bin": b""}, Engine.CALLBACK)
    assert [each.engine for each in plan.listeners.values()] == [Engine.CALLBACK, Engine.COROUTINE]
    for engine in Engine:
        assert compiled(BUILT_IN, engine=engine).listeners["hello"].engine is engine


def test_framings_and_their_defaults() -> None:
    assert framing_of(v1.Framing()) == Read(1024)
    assert framing_of(v1.Framing(read=v1.Framing.Read())) == Read(1024)
    assert framing_of(v1.Framing(read=v1.Framing.Read(max_bytes=7))) == Read(7)
    assert framing_of(v1.Framing(line=v1.Framing.Line())) == Line(keep_ending=False)
    assert framing_of(v1.Framing(line=v1.Framing.Line(keep_ending=True))) == Line(keep_ending=True)


def test_limits_and_their_defaults() -> None:
    assert limits_of(v1.Limits()) == Limits()
    given_limits = load(WHOLE).config.listeners[0].limits
    assert limits_of(given_limits) == Limits(10, 2, 1.5, 0.3, inf, 3600.0, 4096)
    nothing = listener(limits="{idle_timeout: 0, request_timeout: 0s, max_connections: 0}").listeners[0].limits
    assert limits_of(nothing) == Limits(idle_timeout=inf, request_timeout=inf)


MATCHES = [
    ("PING", b"PING", b"ping"),
    ("{equals: {text: PING, ignore_case: true}}", b"pInG", b"PINGS"),
    ("{prefix: ab}", b"abc", b"cab"),
    ("{prefix: {text: ab, ignore_case: true}}", b"ABc", b"cab"),
    ("{suffix: bc}", b"abc", b"bca"),
    ("{suffix: {text: bc, ignore_case: true}}", b"aBC", b"bca"),
    ("{contains: {hex: '00 ff'}}", b"a\x00\xffb", b"\x00"),
    ("{contains: {text: aB, ignore_case: true}}", b"xAbx", b"ba"),
    (r"{regex: '^\xff[0-9]+$'}", b"\xff12", b"x\xff12"),
    ("{all: [{prefix: a}, {suffix: b}]}", b"ab", b"a"),
    ("{any: [a, b]}", b"b", b"c"),
    ("{not: a}", b"b", b"a"),
]


@pytest.mark.parametrize("text, right, wrong", MATCHES)
def test_conditions(text: str, right: bytes, wrong: bytes) -> None:
    config = rule(f"when: {text}")
    assert selected(config, right) is not None
    assert selected(config, wrong) is None


@pytest.mark.parametrize(
    "text, literal", [("PING", b"PING"), ("{equals: {text: a, ignore_case: true}}", None), ("{prefix: a}", None)]
)
def test_equality_can_be_looked_up(text: str, literal: bytes | None) -> None:
    config = rule(f"when: {text}")
    chosen = selected(config, b"PING" if literal else b"a")
    assert chosen is not None
    assert chosen.equals == literal


class Turn:
    """What a step sees."""

    request = b"said"


def test_steps() -> None:
    plan = only(rule("do: [send: hi, delay: 250ms, echo, discard, reset, close]"))
    chosen = plan.on_request.select(b"")
    assert chosen is not None
    outcomes = [step(Turn()) if callable(step) else step for step in chosen.steps]
    assert outcomes == [Send(b"hi"), Wait(0.25), Send(b"said"), None, END_BY_RESET, END_IN_ORDER]


def test_a_rule_is_counted_under_its_name_or_its_index() -> None:
    assert rule_key(v1.Rule(name="ping"), 3) == "ping"
    assert rule_key(v1.Rule(), 3) == "rules[3]"


UNCHECKED = {
    "rules: [{do: [{}]}]": "a step says nothing",
    "rules: [{when: {}}]": "a condition says nothing",
    "rules: [{when: {regex: '('}}]": "missing ): (",
    "rules: [{do: [send: {file: f}]}]": "the file was not read",
    "rules: [{do: [send: {hex: a}]}]": "odd number of digits",
}


@pytest.mark.parametrize("text, why", UNCHECKED.items())
def test_what_was_not_checked_is_refused(text: str, why: str) -> None:
    with pytest.raises(Refused) as caught:
        compiled(listener(text))
    assert str(caught.value) == f"listeners[0]: cannot be compiled: {why}"


def test_places_that_do_not_fit_are_refused() -> None:
    config = rule("do: [close]")
    where = places(config)
    config.listeners[0].rules.add()
    with pytest.raises(Refused):
        compile_plan(config, {}, revision=1, places=where.__getitem__, default_engine=Engine.CALLBACK)


def test_a_worker_loads_neither_yaml_nor_what_only_checking_needs() -> None:
    script = (
        "import sys; from answerback.config import compile; heavy = {'yaml', 're2', 'difflib', 'grpc', 'json'};"
        "print(*sorted(heavy & set(sys.modules)), *sorted(m for m in sys.modules if 'answerback.config.' in m))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [
        f"answerback.config.{name}" for name in ("compile", "durations", "payloads", "problems")
    ]
