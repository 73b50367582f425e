"""Drives Toxiproxy's API with every call of toxiproxy-python; arguments are the API's address and a Redis'.

A program of its own: the client is from 2019, and warns.
"""

import sys

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from tests.programs.pinging import Pinger, ping


def raises(kind: type[Exception], *call: object) -> bool:
    """Whether a call fails with this exception."""
    function, *given = call
    try:
        function(*given)  # type: ignore[operator]
    except kind:
        return True
    return False


def main(api: str, upstream: str) -> None:
    """Raises AssertionError for what is not as with Toxiproxy."""
    host, _, port = api.rpartition(":")
    server = Toxiproxy()
    server.update_api_consumer(host, int(port))
    assert server.running()
    assert b'"version": "2.' in server.version()
    proxy = server.create(upstream=upstream, name="redis")
    assert ping(proxy.listen)[0] == b"+PONG\r\n"
    assert raises(ProxyExists, server.create, upstream, "redis")
    assert server.get_proxy("redis").upstream == upstream

    with Pinger(proxy.listen) as client:
        assert client.ping()[0] == b"+PONG\r\n"
        proxy.add_toxic(type="latency", attributes={"latency": 400, "jitter": 10})
        assert proxy.get_toxic("latency_downstream").attributes == {"latency": 400, "jitter": 10}
        assert client.ping()[1] >= 0.39
    assert raises(ProxyExists, lambda: proxy.add_toxic(type="latency"))
    assert proxy.destroy_toxic("latency_downstream")
    assert proxy.toxics() == {}
    assert raises(InvalidToxic, lambda: proxy.add_toxic(type="lightning"))
    assert raises(NotFound, proxy.destroy_toxic, "none")

    proxy.add_toxic(name="off", type="timeout", stream="upstream", attributes={"timeout": 200})
    reply, seconds = ping(proxy.listen)
    assert (reply, seconds >= 0.2) == (b"", True)
    assert server.reset()
    assert proxy.toxics() == {}

    with Pinger(proxy.listen) as client:
        assert client.ping()[0] == b"+PONG\r\n"
        with proxy.down():
            assert client.hears_end()
            assert ping(proxy.listen)[0] == b""
    assert ping(proxy.listen)[0] == b"+PONG\r\n"
    (second,) = server.populate([{"name": "second", "listen": "127.0.0.1:0", "upstream": upstream}])
    assert ping(second.listen)[0] == b"+PONG\r\n"
    assert set(server.proxies()) == {"redis", "second"}
    server.destroy_all()
    assert server.proxies() == {}
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
