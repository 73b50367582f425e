"""redis-py, psycopg and PyMySQL through a relay, with each fault in each direction.

The client sees what the fault says, and the server what the client did.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from itertools import product
from time import monotonic

import pytest

from tests.ports import free_port
from tests.programs.conftest import RunningServer, running, serving
from tests.programs.real_servers import postgres
from tests.waiting import eventually

psycopg = pytest.importorskip("psycopg")
pymysql = pytest.importorskip("pymysql")
redis = pytest.importorskip("redis")

pytestmark = pytest.mark.programs

HOST = "127.0.0.1"
LATE, SILENT = 0.1, 1  # seconds: how late bytes are, and how long a client waits for others
VALUE = "v" * 20_000

HARMLESS = {
    "latency": "latency: 100ms",
    "bandwidth": "bandwidth: {bytes_per_second: 100000}",
    "slice": "slice: {size: 3}",
    "slow_close": "slow_close: {delay: 100ms}",
}
SILENCING = {"hang": "hang: {}", "blackhole": "blackhole: {}"}
BREAKING = {"reset": "reset: {discard: true}", "truncate": "target: CONNECTION, truncate: {bytes: 2}"}
FAULTS = HARMLESS | SILENCING | BREAKING
DIRECTIONS = ("TO_PEER", "FROM_PEER")
CLIENTS = ("redis", "postgres", "mysql")


def ask_redis(port: int, key: str) -> bool:
    # With these options it says nothing before the first command.
    with redis.Redis(HOST, port, socket_timeout=SILENT, retry=None, driver_info=None, protocol=2) as client:
        return bool(client.set(key, VALUE)) and client.get(key) == VALUE.encode()


def ask_postgres(port: int, key: str) -> bool:
    where = f"host={HOST} port={port} user=me dbname=postgres sslmode=disable connect_timeout=2"  # its least
    with psycopg.connect(where, autocommit=True) as client:
        client.execute("INSERT INTO seen VALUES (%s)", (key,))
        return bool(client.execute("SELECT key FROM seen WHERE key = %s", (key,)).fetchall() == [(key,)])


def ask_mysql(port: int, key: str) -> bool:
    with (
        pymysql.connect(host=HOST, port=port, user="any", connect_timeout=SILENT, read_timeout=SILENT) as client,
        client.cursor() as cursor,
    ):
        cursor.execute(f"SELECT '{key}'")
        return bool(cursor.fetchall() == ((key,),))


ASK: dict[str, Callable[[int, str], bool]] = {"redis": ask_redis, "postgres": ask_postgres, "mysql": ask_mysql}
ERRORS = (redis.ConnectionError, redis.TimeoutError, psycopg.OperationalError, pymysql.OperationalError)


@dataclass(frozen=True)
class Relays:
    """The ports of the servers, and of a relay to each for each fault and direction."""

    servers: dict[str, int]
    ports: dict[tuple[str, str, str], int]

    def ask(self, client: str, fault: str, direction: str) -> bool:
        """Have a client store something under the fault's name and read it again; whether it got that."""
        return ASK[client](self.ports[client, fault, direction], f"{fault} {direction}")

    def arrived(self, client: str, fault: str, direction: str) -> bool:
        """Whether the server has stored what that client sent."""
        key = f"{fault} {direction}"
        if client == "redis":
            with redis.Redis(HOST, self.servers["redis"]) as direct:
                return bool(direct.exists(key))
        with psycopg.connect(f"host={HOST} port={self.servers['postgres']} user=me dbname=postgres") as direct:
            return bool(direct.execute("SELECT 1 FROM seen WHERE key = %s", (key,)).fetchall())


@pytest.fixture(scope="module")
def relays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relays]:
    folder = tmp_path_factory.mktemp("relays")
    servers = {client: free_port() for client in CLIENTS}
    ports = {each: free_port() for each in product(CLIENTS, FAULTS, DIRECTIONS)}
    example = resources.files("answerback").joinpath("examples", "mysql.yaml").read_text("utf-8")
    config = example.replace("127.0.0.1:7036", f"{HOST}:{servers['mysql']}")
    for number, ((client, fault, direction), port) in enumerate(ports.items()):
        config += (
            f"  - name: {client}-{fault}-{direction.lower()}\n"
            f"    address: {HOST}:{port}\n"
            f"    engine: {('callback', 'coroutine')[number // 2 % 2]}\n"
            f"    upstream: {HOST}:{servers[client]}\n"
            f"    faults: [{{direction: {direction}, {FAULTS[fault]}}}]\n"
        )
    store = ["redis-server", "--port", str(servers["redis"]), "--bind", HOST, "--save", "", "--dir", str(folder)]
    with ExitStack() as stack:
        stack.enter_context(running(store, folder / "redis.log"))
        stack.enter_context(postgres(servers["postgres"]))
        stack.enter_context(serving(RunningServer(0, free_port(), free_port()), config, folder))
        with redis.Redis(HOST, servers["redis"]) as direct:
            eventually(direct.ping, what="Redis answers")
        with psycopg.connect(f"host={HOST} port={servers['postgres']} user=me dbname=postgres") as direct:
            direct.execute("CREATE TABLE seen (key text)")
        yield Relays(servers, ports)


every_client = pytest.mark.parametrize("client", CLIENTS)
every_direction = pytest.mark.parametrize("direction", DIRECTIONS)


@every_client
@every_direction
@pytest.mark.parametrize("fault", HARMLESS)
def test_client_is_served_late_or_in_pieces(relays: Relays, client: str, direction: str, fault: str) -> None:
    began = monotonic()
    assert relays.ask(client, fault, direction)
    if fault == "latency" or (fault == "bandwidth" and client == "redis"):
        assert monotonic() - began >= LATE


@every_client
@every_direction
@pytest.mark.parametrize("fault", SILENCING)
def test_client_hears_nothing_and_gives_up(relays: Relays, client: str, direction: str, fault: str) -> None:
    with pytest.raises(ERRORS, match=r"(?i)time(d )?out"):
        relays.ask(client, fault, direction)
    if client == "redis":
        assert relays.arrived(client, fault, direction) is (direction == "TO_PEER")


@every_client
@every_direction
@pytest.mark.parametrize("fault", BREAKING)
def test_client_loses_its_connection(relays: Relays, client: str, direction: str, fault: str) -> None:
    with pytest.raises(ERRORS, match=r"(?i)reset|closed|lost|gone away"):
        relays.ask(client, fault, direction)
    if client == "redis":
        assert relays.arrived(client, fault, direction) is (direction == "TO_PEER")
    if client == "postgres":
        assert not relays.arrived(client, fault, direction)
