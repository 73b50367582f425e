"""The examples `redis` and `memcached` keep values for the clients of PyPI."""

from collections.abc import Iterator
from typing import Any

import pytest

from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.programs.test_examples import HOST, listener

redis = pytest.importorskip("redis")
memcached = pytest.importorskip("pymemcache")

pytestmark = pytest.mark.programs

Ports = dict[str, int]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """One server, with two workers, for all of these tests: the ports of its listeners."""
    found = {name: free_port() for name in ("redis", "memcached")}
    config = v1.Config(listeners=[listener(name, str(port)) for name, port in found.items()])
    with serving(RunningServer(0, free_port(), free_port()), dump(config), tmp_path_factory.mktemp("stores")):
        yield found


def store(ports: Ports, **settings: Any) -> Any:
    return redis.Redis(HOST, ports["redis"], socket_timeout=10, **settings)


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_reads_what_another_connection_has_set(ports: Ports, protocol: int) -> None:
    value = b"a\r\n\x00\xff$" * 20_000
    with store(ports, protocol=protocol) as one, store(ports, protocol=protocol) as other:
        assert one.get("key") is None
        assert one.set("key", value)
        assert (other.get("key"), other.exists("key"), other.strlen("key")) == (value, 1, len(value))
        assert (other.type("key"), other.type("none")) == (b"string", b"none")
        assert other.delete("key") == 1
        assert (one.get("key"), one.exists("key"), one.delete("key")) == (None, 0, 0)


def test_redis_py_counts_on_two_connections(ports: Ports) -> None:
    with store(ports) as one, store(ports) as other:
        one.set("hits", "40")
        assert [one.incr("hits"), other.incr("hits"), one.incr("hits", 5), other.decr("hits", 50)] == [41, 42, 47, -3]
        assert (one.decr("hits"), other.get("hits")) == (-4, b"-4")
        one.set("hits", "many")
        with pytest.raises(redis.ResponseError, match="not an integer"):
            other.incr("hits")
        assert other.get("hits") == b"many"
        one.delete("hits")


def test_redis_py_pipelines_commands(ports: Ports) -> None:
    with store(ports) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(500):
            pipeline.set(f"key{number}", number).get(f"key{number}")
        assert pipeline.execute() == [each for number in range(500) for each in (True, str(number).encode())]


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_sets_up_its_connection(ports: Ports, protocol: int) -> None:
    with store(ports, protocol=protocol, db=3, client_name="ann", single_connection_client=True) as client:
        assert client.client_getname() in ("ann", b"ann")  # as text in RESP2
        assert client.client_id() > 0
        client.set("in", "three")
        assert client.info()["redis_version"] == "7.4.0"
        assert client.config_set("maxmemory", "100")
        assert client.config_get("maxmemory") == {"maxmemory": "100"}
        with store(ports) as elsewhere:
            assert elsewhere.get("in") is None
        with store(ports, db=3) as there:
            assert there.get("in") == b"three"
        with pytest.raises(redis.ResponseError, match="out of range"):
            client.select(16)
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.set("in", "vain", ex=10)
        assert client.get("in") == b"three"


def test_redis_hello_says_which_protocol_is_spoken(ports: Ports) -> None:
    with store(ports, protocol=3, single_connection_client=True) as client:
        assert client.execute_command("HELLO", "3")[b"proto"] == 3
        assert client.execute_command("HELLO", "2")[5] == 2


def test_pymemcache_reads_what_another_connection_has_set(ports: Ports) -> None:
    server = (HOST, ports["memcached"])
    one, other = (memcached.Client(server, timeout=10, default_noreply=False) for _ in range(2))
    try:
        assert one.set("a", b"1\r\nEND\r\n2")
        assert one.set("b", b"")
        assert (other.get("a"), other.get("b"), other.get("c")) == (b"1\r\nEND\r\n2", b"", None)
        assert other.delete("a")
        assert (one.get("a"), one.delete("a")) == (None, False)
        assert one.set("n", b"41")
        assert (other.incr("n", 1), one.incr("n", 8), other.get("n"), other.incr("none", 1)) == (42, 50, b"50", None)
        with pytest.raises(memcached.MemcacheClientError):
            one.incr("b", 1)
        assert one.incr("n", 1, noreply=True) is None
        assert one.get("n") == b"51"
    finally:
        one.close()
        other.close()


def test_pymemcache_gets_the_flags_back(ports: Ports) -> None:
    client = memcached.Client((HOST, ports["memcached"]), timeout=10, serde=memcached.serde.pickle_serde)
    try:
        client.set("object", {"a": [1, 2.5, None]}, noreply=False)
        assert client.get("object") == {"a": [1, 2.5, None]}
    finally:
        client.close()
