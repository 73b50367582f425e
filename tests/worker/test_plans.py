"""Compiled configurations: what did not change stays the same object."""

import pytest

from answerback.core.plan import Engine
from answerback.document.document import load
from answerback.internal.v1.link_pb2 import File, ListenerLayout, Prepare
from answerback.language.addresses import socket_key
from answerback.language.problems import InvalidConfig
from answerback.v1 import config_pb2 as v1
from answerback.worker.plans import Compiled, compile_command

TWO = """
listeners:
- {name: a, address: "127.0.0.1:0", rules: [{do: [{send: {file: page}}]}]}
- {name: b, address: "127.0.0.1:0", rules: [{do: [echo]}]}
"""


def order(
    text: str = TWO, *, revision: int = 1, page: bytes = b"page", engine: v1.Engine.ValueType = v1.ENGINE_CALLBACK
) -> Prepare:
    config = load(text).config
    places = [
        ListenerLayout(listener=each.name, block=1000 * ord(each.name), rules=[1], socket=socket_key(each))
        for each in config.listeners
    ]
    return Prepare(
        revision=revision, config=config, files=[File(name="page", data=page)], layouts=places, default_engine=engine
    )


def test_worker_plan_is_compiled_from_an_order() -> None:
    compiled = compile_command(order(), Compiled())
    assert compiled.plan.revision == 1
    assert list(compiled.plan.listeners) == ["a", "b"]
    plan = compiled.plan.listeners["a"]
    assert (plan.block, plan.socket, plan.engine) == (97000, "127.0.0.1:0#a", Engine.CALLBACK)


def test_unchanged_listener_plan_stays_the_same_object() -> None:
    former = compile_command(order(), Compiled())
    changed = compile_command(order(TWO.replace("echo", "close"), revision=2), former)
    assert changed.plan.revision == 2
    assert changed.plan.listeners["a"] is former.plan.listeners["a"]
    assert changed.plan.listeners["b"] is not former.plan.listeners["b"]


def test_reordered_listeners_keep_their_plan() -> None:
    former = compile_command(order(), Compiled())
    first, second, third = TWO.strip().split("\n")
    changed = compile_command(order(f"{first}\n{third}\n{second}", revision=2), former)
    assert all(changed.plan.listeners[name] is former.plan.listeners[name] for name in "ab")


def test_changed_payload_file_recompiles_the_listeners_that_name_it() -> None:
    former = compile_command(order(), Compiled())
    changed = compile_command(order(revision=2, page=b"another"), former)
    assert changed.plan.listeners["a"] is not former.plan.listeners["a"]
    assert changed.plan.listeners["b"] is former.plan.listeners["b"]


def test_changed_default_engine_recompiles_all_listeners() -> None:
    former = compile_command(order(), Compiled())
    changed = compile_command(order(revision=2, engine=v1.ENGINE_COROUTINE), former)
    assert {plan.engine for plan in changed.plan.listeners.values()} == {Engine.COROUTINE}


def test_plan_problems_are_reported_by_their_listener_index() -> None:
    broken = order()
    broken.config.listeners[1].rules[0].do[0].Clear()
    broken.config.listeners.add().CopyFrom(broken.config.listeners[1])
    broken.config.listeners[2].name = "c"
    broken.layouts.add(listener="c", rules=[1])
    with pytest.raises(InvalidConfig) as raised:
        compile_command(broken, Compiled())
    assert [problem.path for problem in raised.value.problems] == ["listeners[1]", "listeners[2]"]
