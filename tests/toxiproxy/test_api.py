"""What Toxiproxy's API answers: status codes, bodies and errors, as its source has them."""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.toxiproxy.conftest import Api

LATENCY = {"attributes": {"latency": 0, "jitter": 0}, "type": "latency", "toxicity": 1}


def test_version_is_that_of_toxiproxy(api: Api) -> None:
    found = api.call("GET", "/version")
    assert (found.status, found.text) == (200, '{"version": "2.12.0"}\n')


def test_new_proxy_says_where_it_listens(api: Api) -> None:
    made = api.proxy(listen="localhost:0")
    port = int(made["listen"].removeprefix("127.0.0.1:"))
    assert port > 0
    named = {"name": api.name, "listen": f"127.0.0.1:{port}", "upstream": api.upstream.address}
    assert made == named | {"enabled": True, "toxics": []}
    assert api.call("GET", api.path).json == made
    assert api.call("GET", "/proxies").json[api.name] == made


@pytest.mark.parametrize("listen", ["", ":0", "0.0.0.0:0"])
def test_proxy_without_a_host_listens_on_all_addresses(api: Api, listen: str) -> None:
    assert api.proxy(listen=listen)["listen"].startswith("0.0.0.0:")


def test_only_proxies_are_seen(api: Api) -> None:
    assert "other" not in api.call("GET", "/proxies").json
    assert api.call("DELETE", "/proxies/other").error == (404, "proxy not found")


def test_proxy_can_have_any_name(api: Api) -> None:
    made = api.proxy(name="a/ü 1?%")
    path = "/proxies/a%2F%C3%BC%201%3F%25"
    assert api.call("GET", path).json == made
    assert api.call("POST", f"{path}/toxics", {"type": "noop", "name": "é/"}).status == 200
    assert api.call("GET", f"{path}/toxics/%C3%A9%2F").json["attributes"] == {}
    assert api.call("DELETE", path).status == 204


def test_disabled_proxy_can_be_made(api: Api) -> None:
    made = api.proxy(enabled=False)
    assert made["enabled"] is False
    with pytest.raises(ConnectionRefusedError):
        api.client(made["listen"])


def test_toxic_has_defaults_and_keeps_what_is_not_given(api: Api) -> None:
    api.proxy()
    made = api.call("POST", f"{api.path}/toxics", {"type": "latency", "color": "red"})
    assert (made.status, made.json) == (200, LATENCY | {"name": "latency_downstream", "stream": "downstream"})
    path = f"{api.path}/toxics/latency_downstream"
    changed = api.call("PATCH", path, {"Attributes": {"latency": 5}, "stream": "upstream", "name": "new"})
    assert changed.json == made.json | {"attributes": {"latency": 5, "jitter": 0}}
    changed = api.call("POST", path, {"attributes": {"jitter": 2}, "toxicity": 0.5})
    assert changed.json == made.json | {"attributes": {"latency": 5, "jitter": 2}, "toxicity": 0.5}
    assert api.call("GET", path).json == changed.json
    removed = api.call("DELETE", path)
    assert (removed.status, removed.text) == (204, "")
    assert api.call("GET", f"{api.path}/toxics").json == []


def test_toxics_to_the_upstream_are_listed_first(api: Api) -> None:
    api.proxy()
    api.toxic("latency")
    api.toxic("slow_close")
    api.toxic("timeout", "upstream", timeout=1000)
    listed = [toxic["name"] for toxic in api.call("GET", f"{api.path}/toxics").json]
    assert listed == ["timeout", "latency", "slow_close"]


BODY = "bad request body: "
ERRORS: list[tuple[str, str, Any, int, str]] = [
    ("POST", "/proxies", b"", 400, f"{BODY}EOF"),
    ("POST", "/proxies", b"{", 400, BODY),
    ("POST", "/proxies", b"[" * 100_000, 400, BODY),
    ("POST", "/proxies", b"\xff", 400, BODY),
    ("POST", "/proxies", [], 400, BODY),
    ("POST", "/proxies", {"name": 5}, 400, f"{BODY}name must be text"),
    ("POST", "/proxies", {"upstream": "a:1"}, 400, "missing required field: name"),
    ("POST", "/proxies", {"name": "new"}, 400, "missing required field: upstream"),
    ("POST", "/proxies", {"name": "ITS", "upstream": "a:1"}, 409, "proxy already exists"),
    ("POST", "/proxies", {"name": "new", "upstream": "a b:1"}, 400, f"{BODY}upstream.address: 'a b' is not"),
    (
        "POST",
        "/proxies",
        {"name": "n" * 70_000, "upstream": "a:1"},
        400,
        f"{BODY}toxiproxy: must be at most 65536 bytes",
    ),
    ("POST", "/proxies", {"name": "new", "upstream": "a:1", "listen": "PORT"}, 500, "listen tcp: "),
    ("POST", "/proxies", {"name": "new", "upstream": "a:1", "listen": "nowhere"}, 500, "listen tcp: "),
    (
        "POST",
        "/proxies",
        {"name": "new", "upstream": "a:1", "listen": "no.where:1"},
        500,
        "listen tcp: lookup no.where",
    ),
    ("GET", "/proxies/none", None, 404, "proxy not found"),
    ("POST", "/proxies/none", {}, 404, "proxy not found"),
    ("POST", "/proxies/ITS", b"nonsense", 400, BODY),
    ("POST", "/proxies/ITS", {"enabled": "no"}, 400, f"{BODY}enabled must be true or false"),
    ("DELETE", "/proxies/none", None, 404, "proxy not found"),
    ("GET", "/proxies/none/toxics", None, 404, "proxy not found"),
    ("GET", "/proxies/ITS/toxics/none", None, 404, "toxic not found"),
    ("POST", "/proxies/ITS/toxics/none", {}, 404, "toxic not found"),
    ("DELETE", "/proxies/ITS/toxics/none", None, 404, "toxic not found"),
    ("POST", "/proxies/ITS/toxics", {"type": "lightning"}, 400, "invalid toxic type"),
    ("POST", "/proxies/ITS/toxics", {}, 400, "invalid toxic type"),
    (
        "POST",
        "/proxies/ITS/toxics",
        {"type": "latency", "stream": "sideways"},
        400,
        "stream was invalid, can be either upstream or downstream",
    ),
    ("POST", "/proxies/ITS/toxics", {"type": "slow_close", "name": "latency"}, 409, "toxic already exists"),
    (
        "POST",
        "/proxies/ITS/toxics",
        {"type": "timeout", "attributes": {"timeout": -1}},
        400,
        f"{BODY}timeout must be 0",
    ),
    ("POST", "/proxies/ITS/toxics", {"type": "timeout", "attributes": {"timeout": 0.5}}, 400, BODY),
    ("POST", "/proxies/ITS/toxics", {"type": "timeout", "attributes": {"timeout": 1 << 62}}, 400, BODY),
    ("POST", "/proxies/ITS/toxics", {"type": "timeout", "toxicity": "much"}, 400, BODY),
    ("POST", "/populate", {}, 400, f"{BODY}the body must be an array"),
    (
        "POST",
        "/populate",
        [{"name": "new", "upstream": "a:1"}, {"name": "b"}],
        400,
        "missing required field: upstream at proxy 2",
    ),
    ("POST", "/populate", [{"name": "new", "upstream": "a:1"}] * 2, 500, 'duplicate proxy name "new"'),
]


def test_errors_are_those_of_toxiproxy_and_change_nothing(api: Api) -> None:
    made = api.proxy()
    api.toxic("latency")
    before = api.call("GET", "/proxies").text
    assert len(ERRORS) > 30
    put = {"ITS": api.name, "PORT": made["listen"]}
    for method, path, given, status, message in ERRORS:
        body = given
        if isinstance(given, dict):
            body = {key: put.get(each, each) if isinstance(each, str) else each for key, each in given.items()}
        code, text = api.call(method, path.replace("ITS", api.name), body).error
        assert code == status, (path, body, text)
        assert text.startswith(message), (path, body)
    assert api.call("GET", "/proxies").text == before


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/", 404),
        ("GET", "/proxies/", 404),
        ("GET", "/proxies/a/b", 404),
        ("GET", "/proxies/a/toxics/b/c", 404),
        ("PUT", "/proxies", 405),
        ("GET", "/reset", 405),
        ("DELETE", "/version", 405),
    ],
)
def test_unknown_paths_and_methods(api: Api, method: str, path: str, status: int) -> None:
    assert api.call(method, path).status == status


def test_browsers_are_turned_away(api: Api) -> None:
    found = api.call("POST", "/reset", agent="Mozilla/5.0 (X11; Linux x86_64)")
    assert (found.status, found.text) == (403, "User agent not allowed\n")


def test_body_that_is_too_long_is_not_kept(api: Api) -> None:
    assert api.call("POST", "/proxies", b" " * (2 << 20)).status == 413


def test_populate_leaves_equal_proxies_as_they_are_and_replaces_the_others(api: Api) -> None:
    made = api.proxy()
    api.toxic("latency")
    same = {"name": api.name, "listen": made["listen"].replace("127.0.0.1", "localhost"), "upstream": made["upstream"]}
    new = {"name": f"{api.name}-b", "listen": "127.0.0.1:0", "upstream": "localhost:1", "enabled": False}
    client = api.exchanging(made["listen"])
    populated = api.call("POST", "/populate", [same, new])
    assert populated.status == 201
    first, second = populated.json["proxies"]
    assert [toxic["name"] for toxic in first["toxics"]] == ["latency"]
    assert second["enabled"] is False
    client.sendall(b"still open")
    assert client.recv(100) == b"still open"
    replaced = api.call("POST", "/populate", [same | {"upstream": "localhost:1"}])
    assert replaced.json["proxies"] == [made | {"upstream": "localhost:1"}]
    assert client.recv(1) == b""
    assert set(api.call("GET", "/proxies").json) >= {api.name, f"{api.name}-b"}
    api.call("DELETE", f"{api.path}-b")


def test_reset_enables_every_proxy_and_removes_toxics(api: Api) -> None:
    made = api.proxy(enabled=False)
    api.toxic("latency", latency=60_000)
    assert api.call("POST", "/reset").status == 204
    assert api.call("GET", api.path).json == made | {"enabled": True}
    api.exchanging(made["listen"])


def test_calls_at_once_are_all_made(api: Api) -> None:
    made = api.proxy()
    names = [f"t{number}" for number in range(12)]

    def add(name: str) -> int:
        return api.call("POST", f"{api.path}/toxics", {"type": "noop", "name": name}).status

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(add, names)) == {200}
    assert sorted(toxic["name"] for toxic in api.call("GET", f"{api.path}/toxics").json) == sorted(names)
    api.exchanging(made["listen"])


def test_silent_clients_leave_room(api: Api) -> None:
    host, _, port = api.address.rpartition(":")
    held = [socket.create_connection((host, int(port)), 20) for _ in range(80)]
    assert api.call("GET", "/version").status == 200
    for each in held:
        each.close()


def test_fault_that_is_removed_by_other_means_is_no_toxic_any_more(api: Api) -> None:
    api.proxy()
    api.toxic("latency")
    assert api.server.cli("fault", "remove", api.name, "latency").returncode == 0
    assert api.call("GET", f"{api.path}/toxics").json == []
