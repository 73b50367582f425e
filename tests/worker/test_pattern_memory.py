"""Pattern memory: the bytes of a peer do not make a worker grow without limit."""

import asyncio
import gc
import socket
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from answerback.core import patterns
from answerback.document.document import load
from answerback.internal.v1.link_pb2 import Command, Commit, ListenerLayout, Prepare
from answerback.language.addresses import socket_key
from answerback.language.compile import compile_plan
from answerback.language.problems import InvalidConfig
from answerback.v1 import config_pb2 as v1
from answerback.worker import plans
from answerback.worker.pattern_memory import TOTAL_BYTES, PatternMemory
from answerback.worker.plans import Compiled, compile_command
from tests.worker.real_worker import RealWorker, listening

PATTERNS = 200
HOSTILE = bytes(Random(1).choices(b"ax", k=1900)) + b"\n"  # with more, RE2 would start its automata again


def loose(revision: int) -> v1.Config:
    """Patterns that may be anywhere within: almost each byte makes a new state of each of their automata."""
    config = v1.Config(listeners=[v1.Listener(name="hello", address="127.0.0.1:0")])
    config.listeners[0].framing.line.SetInParent()
    for number in range(PATTERNS):
        config.listeners[0].rules.add().when.regex = rf"(?s)a.{{18}}b{revision}{number}"
    config.listeners[0].rules.add().do.add().send.text = "done\n"
    return config


def order(config: v1.Config, revision: int) -> Prepare:
    places = [
        ListenerLayout(listener=each.name, rules=range(len(each.rules)), socket=socket_key(each))
        for each in config.listeners
    ]
    return Prepare(revision=revision, config=config, layouts=places, default_engine=v1.ENGINE_CALLBACK)


async def serve(worker: RealWorker, revision: int) -> None:
    prepare = order(loose(revision), revision)
    key = prepare.layouts[0].socket
    prepare.layouts[0].block = worker.layout.listener("hello")
    prepare.layouts[0].rules[:] = [worker.layout.rule("hello", f"rules[{index}]") for index in range(PATTERNS + 1)]
    new = key not in worker.sockets
    if new:
        worker.sockets[key] = listening()
        prepare.sockets.add(key=key)
    worker.link.send(Command(prepare=prepare), [worker.sockets[key]] if new else [])
    assert (await worker.answer()).HasField("prepared")
    worker.link.send(Command(commit=Commit(revision=revision)))
    assert (await worker.answer()).committed.revision == revision


def send_hostile(peers: Sequence[socket.socket]) -> None:
    for peer in peers:
        peer.sendall(HOSTILE)
        assert peer.recv(100) == b"done\n"


def resident(worker: RealWorker) -> int:
    """MiB."""
    pages = Path(f"/proc/{worker.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4 // 1024


async def test_hostile_input_to_200_patterns_stays_within_the_memory_budget(worker: RealWorker) -> None:
    """Without a budget, each line takes 60 MiB."""
    await serve(worker, 1)
    with socket.create_connection(("127.0.0.1", worker.port())) as former:
        former.settimeout(60)
        before = resident(worker)
        await asyncio.to_thread(send_hostile, [former])
        await serve(worker, 2)
        with socket.create_connection(("127.0.0.1", worker.port())) as later:
            later.settimeout(60)
            await asyncio.to_thread(send_hostile, [former, later])  # the former still goes by the former plan, or not
        assert resident(worker) - before <= 32


def test_pattern_memory_share_is_half_of_the_free_memory() -> None:
    memory, one, other = PatternMemory(1000), InvalidConfig([]), InvalidConfig([])
    memory.reserve(one, memory.half())
    memory.reserve(other, memory.half())
    assert memory.half() == 125
    del one
    gc.collect()
    assert memory.half() == 375
    del other
    gc.collect()
    assert memory.half() == 500


def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each pattern may take, in the order in which listeners are compiled."""
    shares: list[int] = []

    def compile_noted(*args: object, pattern_memory: int, **named: object) -> object:
        shares.append(pattern_memory)
        return compile_plan(*args, pattern_memory=pattern_memory, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(plans, "compile_plan", compile_noted)
    return shares


def test_patterns_of_a_plan_share_half_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = held(monkeypatch)
    memory = PatternMemory()
    first = compile_command(order(loose(1), 1), Compiled(), memory=memory)
    second = compile_command(order(loose(2), 2), first, memory=memory)
    assert shares == [TOTAL_BYTES // 2 // PATTERNS, TOTAL_BYTES // 4 // PATTERNS]
    del first
    gc.collect()
    compile_command(order(loose(3), 3), second, memory=memory)
    assert shares[2] > TOTAL_BYTES // 3 // PATTERNS


def test_unchanged_pattern_keeps_its_memory_share(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = held(monkeypatch)
    memory = PatternMemory()
    first = compile_command(order(loose(1), 1), Compiled(), memory=memory)
    free = memory.half()
    second = compile_command(order(loose(1), 2), first, memory=memory)
    del first
    gc.collect()
    assert (len(shares), memory.half()) == (1, free)
    assert second.plan.revision == 2


def test_rejected_plan_reserves_no_pattern_memory() -> None:
    memory, config = PatternMemory(), loose(1)
    config.listeners.add(name="wrong", address="127.0.0.1:0").rules.add().when.regex = "("
    with pytest.raises(InvalidConfig):
        compile_command(order(config, 1), Compiled(), memory=memory)
    gc.collect()
    assert memory.half() == TOTAL_BYTES // 2


def test_patterns_of_every_kind_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = held(monkeypatch)
    text = """
listeners:
- name: a
  address: 127.0.0.1:0
  framing: {pattern: {end: x}}
  rules:
  - when: {any: {of: [{regex: a}, {not: {regex: b}}]}}
    do: [{receive: {framing: {pattern: {end: y}}, into: z}}]
  - {do: [{framing: {pattern: {end: z}}}]}
"""
    compile_command(order(load(text).config, 1), Compiled(), memory=PatternMemory(5000))
    assert shares == [500]


def test_few_patterns_reserve_at_most_what_they_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    shares, memory = held(monkeypatch), PatternMemory()
    config = load("listeners: [{name: a, address: '127.0.0.1:0', rules: [{when: {regex: a}}]}]").config
    compiled = compile_command(order(config, 1), Compiled(), memory=memory)
    assert shares == [2 * patterns.MAX_MEMORY]
    assert memory.half() == (TOTAL_BYTES - 2 * patterns.MAX_MEMORY) // 2
    assert compiled.plan.listeners
