"""Operations of a running server, other than changes and restarts."""

import asyncio
import signal
import socket

import pytest

from answerback.language.editing import NoSuchListener
from answerback.supervisor import ChangeFailed, NoSuchCounter, Timeouts
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, ask, config, until

COUNTING = """
- name: {name}
  address: 127.0.0.1:0
  rules:
  - {{name: twice, times: 2, do: [{{send: no}}, close]}}
  - name: turns
    replies: {{of: [[{{send: a}}, close], [{{send: b}}, close]], then: NEXT_RULE}}
  - do: [{{send: yes}}, close]
"""
HELLO, OTHER = COUNTING.format(name="hello"), COUNTING.format(name="other")
AFRESH = [b"no", b"no", b"a", b"b", b"yes"]


async def five(supervisor: Supervised, name: str = "hello") -> list[bytes]:
    """The next five answers."""
    return [await asyncio.to_thread(ask, supervisor.port(name)) for _ in range(5)]


async def test_reset_of_all_counters_restarts_each_listener(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, OTHER, workers=2)
    assert await five(supervisor) == await five(supervisor, "other") == AFRESH
    assert await five(supervisor) == [b"yes"] * 5
    assert await supervisor.operations.reset_counters() == 4
    assert await five(supervisor) == await five(supervisor, "other") == AFRESH
    assert supervisor.status().listeners[0].counts.requests == 15, "what is measured goes on"
    assert supervisor.current.number == 1


async def test_reset_of_one_listeners_counters_leaves_the_others(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, OTHER)
    assert await five(supervisor) == await five(supervisor, "other") == AFRESH
    assert await supervisor.operations.reset_counters("hello") == 2
    assert await five(supervisor) == AFRESH
    assert await five(supervisor, "other") == [b"yes"] * 5


async def test_reset_of_one_rule_counter_leaves_the_others(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO)
    assert await five(supervisor) == AFRESH
    assert await supervisor.operations.reset_counters("hello", "turns") == 1
    assert await five(supervisor) == [b"a", b"b", b"yes", b"yes", b"yes"]
    assert await supervisor.operations.reset_counters("hello", "rules[2]") == 0, "it counts nothing"


async def test_reset_of_one_fault_counter_leaves_the_others(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO + "  faults: [{name: once, times: 1, drop: {}}]\n")
    assert await five(supervisor) == [b"", *AFRESH[1:]]
    assert await supervisor.operations.reset_counters("hello", fault="once") == 1
    assert await five(supervisor) == [b"", *[b"yes"] * 4]
    assert await supervisor.operations.reset_counters("hello") == 3
    assert await five(supervisor) == [b"", *AFRESH[1:]]


FOR_PEERS = """
- name: hello
  address: 127.0.0.1:0
  rules:
  - {{name: twice, times: 2, scope: PEER, do: [{{send: no}}, close]}}
  - {{name: once, times: 1, do: [{{send: a}}, close]}}
  - {{do: [{{send: yes}}, close]}}
"""


async def test_reset_of_counters_restarts_those_for_each_peer(supervise: Supervise) -> None:
    supervisor = await supervise(FOR_PEERS.format(), workers=2)
    assert await five(supervisor) == [b"no", b"no", b"a", b"yes", b"yes"]
    assert await supervisor.operations.reset_counters("hello", "once") == 1
    assert await five(supervisor) == [b"a", *[b"yes"] * 4]
    assert await supervisor.operations.reset_counters("hello", "twice") == 1
    assert await five(supervisor) == [b"no", b"no", *[b"yes"] * 3]
    assert await supervisor.operations.reset_counters() == 2
    assert await five(supervisor) == [b"no", b"no", b"a", b"yes", b"yes"]


async def test_changed_rule_for_each_peer_counts_from_0_and_an_unchanged_one_goes_on(supervise: Supervise) -> None:
    supervisor = await supervise(FOR_PEERS.format())
    assert await five(supervisor) == [b"no", b"no", b"a", b"yes", b"yes"]
    await supervisor.update(config(FOR_PEERS.format().replace("send: yes", "send: still")))
    assert await five(supervisor) == [b"still"] * 5
    await supervisor.update(config(FOR_PEERS.format().replace("send: no", "send: not")))
    assert await five(supervisor) == [b"not", b"not", *[b"yes"] * 3]


async def test_reset_of_unknown_counter_fails(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO)
    with pytest.raises(NoSuchListener):
        await supervisor.operations.reset_counters("nobody")
    with pytest.raises(NoSuchCounter, match="listener 'hello' has no rule 'none'"):
        await supervisor.operations.reset_counters("hello", "none")
    with pytest.raises(NoSuchCounter, match="listener 'hello' has no fault 'none'"):
        await supervisor.operations.reset_counters("hello", fault="none")
    await supervisor.update(config(" []"))
    assert await supervisor.operations.reset_counters() == 0


async def test_reset_of_counters_uses_another_worker_if_one_hangs(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, workers=2)
    assert await five(supervisor) == AFRESH
    pid = supervisor.kill(0, signal.SIGSTOP)
    assert await supervisor.operations.reset_counters() == 2
    await supervisor.until_replaced(0, pid)
    assert await five(supervisor) == AFRESH


async def test_reset_of_counters_without_a_worker_fails(supervise: Supervise) -> None:
    supervisor = await supervise(HELLO, timeouts=Timeouts(backoff_seconds=(60.0,)))
    supervisor.kill(0)
    await until(lambda: supervisor.pids() == [0])
    with pytest.raises(ChangeFailed, match="no worker is running; nothing has changed"):
        await supervisor.operations.reset_counters()


NUMBERED = """
- name: numbered
  address: 127.0.0.1:0
  rules:
  - {{event: CONNECT, when: {{expr: "connection.number == 3"}}, do: [reset]}}
  - {{event: CONNECT, do: [send: {{template: "${{connection.number}}"}}, close]}}
"""


async def test_connections_are_numbered_over_all_workers_also_when_one_is_killed(supervise: Supervise) -> None:
    supervisor = await supervise(NUMBERED.format(), workers=2)

    async def numbers(connections: int) -> list[bytes]:
        return [await asyncio.to_thread(answer, supervisor.port("numbered")) for _ in range(connections)]

    assert await numbers(6) == [b"1", b"2", b"", b"4", b"5", b"6"]
    await supervisor.until_replaced(0, supervisor.kill(0))
    assert await numbers(2) == [b"7", b"8"]
    assert await supervisor.operations.reset_counters("numbered") == 0, "nothing of rules and faults"
    assert await numbers(3) == [b"1", b"2", b""]


def answer(port: int) -> bytes:
    """What a connection gets that sends nothing; nothing for a reset."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
            return peer.recv(100, socket.MSG_WAITALL)
    except ConnectionResetError:
        return b""
