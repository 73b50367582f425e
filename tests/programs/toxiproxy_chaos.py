"""Drives Toxiproxy's API with every action and probe of chaostoolkit-toxiproxy; arguments as of `toxiproxy_calls`."""

import os
import sys

from chaostoxi.proxy import actions, probes
from chaostoxi.toxic import actions as toxics

from tests.programs.pinging import Pinger, ping

PONG = b"+PONG\r\n"


def main(api: str, upstream: str) -> None:
    """Raises AssertionError for what is not as with Toxiproxy."""
    given = {"configuration": {"toxiproxy_url": f"http://{api}"}}
    host, _, port = upstream.rpartition(":")
    os.environ["REDIS_PORT_NUMBER"] = port
    assert not probes.proxy_exist("redis", **given)
    assert actions.create_proxy("redis", host, "env:REDIS_PORT_NUMBER", listen_host="127.0.0.1", **given)
    listen = f"127.0.0.1:{given['configuration']['redis_PORT']}"
    assert probes.proxy_exist("redis", **given)
    assert probes.get_proxy_attribute("redis", "upstream", **given) == upstream

    with Pinger(listen) as client:
        see_toxics(client, listen, given)
        assert actions.disable_proxy("redis", **given)
        assert client.hears_end()
    assert ping(listen)[0] == b""
    assert actions.enable_proxy("redis", **given)
    assert ping(listen)[0] == PONG
    assert actions.modify_proxy("redis", upstream_address="127.0.0.1:1", **given)
    assert ping(listen)[0] == b""
    assert actions.modify_proxy("redis", listen_address=listen, upstream_address=upstream, enabled=True, **given)
    assert ping(listen)[0] == PONG
    actions.delete_proxy("redis", **given)
    assert not probes.proxy_exist("redis", **given)
    sys.stdout.write("done\n")


def see_toxics(client: Pinger, listen: str, given: dict[str, dict[str, str]]) -> None:
    """Add toxics of each type, and remove them: on an open connection, but for those that end it."""
    assert client.ping()[0] == PONG
    assert toxics.create_latency_toxic("redis", "late", 400, **given)
    assert client.ping()[1] >= 0.4
    assert toxics.delete_toxic("redis", "late", **given)
    assert toxics.create_toxic("redis", "late", "latency", "upstream", 1.0, {"latency": 300, "jitter": 0}, **given)
    assert client.ping()[1] >= 0.3
    assert actions.reset(**given)
    assert toxics.create_slicer_toxic("redis", "cut", 3, 1, 100_000, **given)
    assert len(client.ping()[0]) < len(PONG)
    assert actions.reset(**given)
    client.skip(PONG)
    assert toxics.create_bandwith_degradation_toxic("redis", "narrow", 1, **given)
    assert client.ping()[0]
    assert actions.reset(**given)

    with Pinger(listen) as other:
        assert other.ping()[0] == PONG
        assert toxics.create_slow_connection_close_toxic("redis", "slow", 300, **given)
        assert other.seconds_to_end() >= 0.3
    assert actions.reset(**given)
    assert toxics.create_timeout_toxic("redis", "silent", 200, **given)
    assert ping(listen)[0] == b""
    assert actions.reset(**given)
    assert toxics.create_limiter_toxic("redis", "limit", 3, **given)
    assert ping(listen)[0] == PONG[:3]
    assert actions.reset(**given)


if __name__ == "__main__":
    main(*sys.argv[1:])
