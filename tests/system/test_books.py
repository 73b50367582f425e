"""The counts of the clients equal the server's at rest, over two workers and both engines."""

import asyncio
import random
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from functools import partial

import pytest

from tests.descriptors import open_descriptors
from tests.system.behaviours import BEHAVIOURS, RULES, Address, Behaviour
from tests.system.conftest import RunningServer
from tests.system.scraping import Metrics, serving, settled, worker_pids
from tests.system.talking import Account, Talk

pytestmark = pytest.mark.long

ENGINES = ["callback", "coroutine"]
AT_ONCE = 50
ROUNDS = 15
WORDS = [b"PING\n"] * 8 + [b"MUTE\n", b"junk\n", b"Echo me\r\n"] * 4
WORDS += [b"QUIT\n", b"SLOW\n", b"E" * 5000 + b"\n", b"E" * 70_000 + b"\n", b"PI", b"NG", b"\n"]

# Each test has a listener of its own, so that its counts begin at 0.
LISTENERS = "".join(
    f"""
  - name: {engine}
    address: 127.0.0.1:0
    engine: {engine}
{RULES}
  - name: {engine}-hello
    address: 127.0.0.1:0
    engine: {engine}
    rules:
      - {{name: greet, do: [send: "Hello, World!", close]}}
  - name: {engine}-any
    address: 127.0.0.1:0
    engine: {engine}
{RULES}
  - name: {engine}-shared
    address: 127.0.0.1:0
    engine: {engine}
{RULES}
"""
    for engine in ENGINES
)
CONFIG = f"listeners:{LISTENERS}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("books"), CONFIG, "--workers", "2") as running:
        yield running


async def play(address: Address, account: Account, behaviours: Iterable[Behaviour]) -> None:
    """Have clients behave so, many at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def client(behaviour: Behaviour) -> None:
        async with places, asyncio.timeout(30):
            await behaviour(address, account)

    async with asyncio.TaskGroup() as clients:
        for behaviour in behaviours:
            clients.create_task(client(behaviour))


async def greeted(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"hi")
        account.asked("greet")
        assert await talk.rest() == b"Hello, World!"
        account.ended("server_close")


@pytest.mark.parametrize("engine", ENGINES)
async def test_clients_own_counts_equal_the_metrics_exactly_at_rest(running: RunningServer, engine: str) -> None:
    account = Account()
    behaviours = list(BEHAVIOURS.values()) * ROUNDS
    random.shuffle(behaviours)
    await play(running.where(engine), account, behaviours)
    metrics = await asyncio.to_thread(settled, running.metrics, engine, accepted=account.connections)
    assert account.connections == len(behaviours)
    assert metrics.differences(account.samples(engine)) == []
    assert metrics.balanced(engine)
    assert metrics.total("connections_closed_total", listener=engine) == account.closed.total()
    assert metrics.total("session_errors_total") == 0


async def anything(chance: random.Random, address: Address, account: Account) -> None:
    """Say any words, cut anywhere, and read to the end."""
    data = b"".join(chance.choices(WORDS, k=chance.randint(0, 30)))
    async with Talk(address, account) as talk:

        async def speak() -> None:
            at = 0
            while at < len(data):
                size = chance.choice((1, 3, 10, 100, 1000, 100_000))
                await talk.say(data[at : at + size])
                at += size
            talk.finish()

        speaking = asyncio.create_task(speak())
        await talk.rest()
        await speaking


@pytest.mark.parametrize("engine", ENGINES)
async def test_counters_equal_client_totals_for_random_conversations(running: RunningServer, engine: str) -> None:
    listener, account = f"{engine}-any", Account()
    seed = random.getrandbits(32)  # from that which pytest-randomly prints
    await play(running.where(listener), account, [partial(anything, random.Random(seed))] * 200)
    metrics = await asyncio.to_thread(settled, running.metrics, listener, accepted=200)
    assert metrics.value("received_bytes_total", listener=listener) == account.sent
    assert metrics.value("sent_bytes_total", listener=listener) == account.received
    requests = metrics.value("requests_total", listener=listener)
    matched = metrics.total("rule_matches_total", listener=listener)
    assert requests == matched + metrics.value("requests_unmatched_total", listener=listener)
    assert requests == metrics.value("request_duration_seconds_count", listener=listener)
    in_order = (
        metrics.value("connections_closed_total", listener=listener, reason=reason)
        for reason in ("peer_eof", "server_close")
    )
    assert sum(in_order) == 200


@pytest.mark.parametrize("engine", ENGINES)
async def test_counters_equal_client_totals_for_one_shot_conversations(running: RunningServer, engine: str) -> None:
    listener, account = f"{engine}-hello", Account()
    await play(running.where(listener), account, [greeted] * 500)
    metrics = await asyncio.to_thread(settled, running.metrics, listener, accepted=account.connections)
    assert metrics.differences(account.samples(listener)) == []
    assert metrics.value("request_duration_seconds_count", listener=listener) == 500
    assert metrics.value("request_duration_seconds_bucket", listener=listener, le="+Inf") == 500
    assert 0 < metrics.value("request_duration_seconds_sum", listener=listener) < 500


@pytest.mark.parametrize("engine", ENGINES)
async def test_counters_balance_with_connections_open_in_two_workers(running: RunningServer, engine: str) -> None:
    listener = f"{engine}-shared"
    before = {pid: open_descriptors(pid) for pid in worker_pids(running)}
    account = Account()
    async with AsyncExitStack() as stack:
        for _ in range(100):
            talk = await stack.enter_async_context(Talk(running.where(listener), account))
            await talk.say(b"PING\n")
            await talk.hear(b"+PONG\r\n")
        shares = [open_descriptors(pid) - former for pid, former in before.items()]
        assert len(shares) == 2
        assert min(shares) > 0
        metrics = Metrics.scrape(running.metrics)
        assert metrics.value("connections_open", listener=listener) == 100
        assert metrics.balanced(listener)
    metrics = await asyncio.to_thread(settled, running.metrics, listener, accepted=100)
    assert metrics.value("connections_closed_total", listener=listener, reason="peer_eof") == 100
