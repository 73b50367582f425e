"""Each toxic as both ends of an open connection see it, on both engines and two workers."""

from time import monotonic

import pytest

from tests.toxiproxy.conftest import Api, Upstream, hear_all
from tests.waiting import eventually


def test_toxics_change_and_leave_an_open_connection(api: Api) -> None:
    client = api.exchanging(api.proxy()["listen"])
    api.toxic("latency", latency=300)
    began = monotonic()
    client.sendall(b"b")
    assert client.recv(65536) == b"b"
    assert monotonic() - began >= 0.3
    api.change("latency", latency=3_000_000)
    client.sendall(b"c")
    api.remove("latency")
    assert client.recv(65536) == b"c"


def test_bandwidth_of_0_holds_everything_until_it_is_removed(api: Api) -> None:
    client = api.client(api.proxy()["listen"])
    api.toxic("bandwidth", "upstream", rate=0)
    client.sendall(b"held")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(20)
    api.remove("bandwidth")
    assert client.recv(65536) == b"held"


def test_bandwidth_counts_kilobytes_of_1000_bytes(api: Api) -> None:
    client = api.client(api.proxy()["listen"])
    api.toxic("bandwidth", rate=100)
    began = monotonic()
    client.sendall(bytes(50_000))
    client.shutdown(1)
    assert hear_all(client) == bytes(50_000)
    assert monotonic() - began >= 0.5


def test_timeout_discards_and_closes(api: Api) -> None:
    client = api.client(api.proxy()["listen"])
    api.toxic("timeout", "upstream", timeout=200)
    began = monotonic()
    client.sendall(b"lost")
    assert hear_all(client) == b""
    assert monotonic() - began >= 0.2
    eventually(lambda: api.upstream.heard)
    assert api.upstream.heard == [b""]


def test_removed_timeout_closes_the_connection(api: Api) -> None:
    client = api.exchanging(api.proxy()["listen"])
    api.toxic("timeout", timeout=0)
    api.remove("timeout")
    assert hear_all(client) == b""


def test_limit_data_counts_from_when_it_was_added(api: Api) -> None:
    client = api.client(api.proxy()["listen"])
    client.sendall(b"before")
    assert client.recv(65536) == b"before"
    api.toxic("limit_data", bytes=6)
    client.sendall(b"abc")
    assert client.recv(65536) == b"abc"
    api.toxic("latency", latency=1)  # another one does not start the count again
    api.change("limit_data", bytes=5)
    client.sendall(b"defgh")
    assert hear_all(client) == b"de"


def test_reset_peer_resets_without_passing_anything_on(api: Api) -> None:
    client = api.client(api.proxy()["listen"])
    api.toxic("reset_peer", "upstream", timeout=100)
    client.sendall(b"lost")
    with pytest.raises(ConnectionResetError):
        client.recv(65536)
    eventually(lambda: api.upstream.heard)
    assert api.upstream.heard == [b""]


def test_slow_close_delays_fin(api: Api) -> None:
    client = api.client(api.proxy()["listen"])
    api.toxic("slow_close", delay=300)
    client.sendall(b"a")
    assert client.recv(65536) == b"a"
    began = monotonic()
    client.shutdown(1)
    assert hear_all(client) == b""
    assert monotonic() - began >= 0.3


def test_slicer_waits_behind_every_piece(api: Api) -> None:
    client = api.client(api.proxy()["listen"])
    api.toxic("slicer", average_size=10, size_variation=0, delay=20_000)
    began = monotonic()
    client.sendall(bytes(100))
    client.shutdown(1)
    assert hear_all(client) == bytes(100)
    assert monotonic() - began >= 0.18


def test_toxicity_of_0_applies_to_no_connection(api: Api) -> None:
    proxy = api.proxy()
    body = {"type": "timeout", "toxicity": 0, "attributes": {"timeout": 1}}
    assert (api.call("POST", f"{api.path}/toxics", body)).json["toxicity"] == 0
    api.exchanging(proxy["listen"])


def test_disabled_proxy_closes_by_fin_and_refuses_until_it_is_enabled(api: Api) -> None:
    proxy = api.proxy()
    client = api.exchanging(proxy["listen"])
    disabled = api.call("POST", api.path, {"enabled": False})
    assert disabled.json["enabled"] is False
    assert hear_all(client) == b""
    with pytest.raises(ConnectionRefusedError):
        api.client(proxy["listen"])
    enabled = api.call("PATCH", api.path, {"enabled": True})
    assert enabled.json == proxy
    again = api.client(proxy["listen"])
    again.sendall(b"b")
    assert again.recv(65536) == b"b"


def test_proxy_that_connects_elsewhere_closes_its_connections_and_keeps_its_toxics(api: Api) -> None:
    other = Upstream()
    proxy = api.proxy()
    api.toxic("latency", latency=1)
    client = api.exchanging(proxy["listen"])
    upstream = other.address.replace("127.0.0.1", "localhost")
    changed = api.call("POST", api.path, {"listen": proxy["listen"], "upstream": upstream})
    assert [changed.json["listen"], changed.json["upstream"]] == [proxy["listen"], upstream]
    assert [toxic["name"] for toxic in changed.json["toxics"]] == ["latency"]
    assert hear_all(client) == b""
    api.exchanging(proxy["listen"]).close()
    eventually(lambda: other.heard)
    other.close()


def test_removed_proxy_closes_its_connections_and_its_port(api: Api) -> None:
    proxy = api.proxy()
    client = api.exchanging(proxy["listen"])
    assert (api.call("DELETE", api.path)).status == 204
    assert hear_all(client) == b""
    with pytest.raises(ConnectionRefusedError):
        api.client(proxy["listen"])
