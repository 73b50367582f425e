"""Toxiproxy's API beside the configuration file, and over a restart."""

from pathlib import Path

from tests.system.conftest import RunningServer, Start
from tests.toxiproxy.conftest import NAMED, Api, Upstream
from tests.waiting import eventually

OPTIONS = ("--toxiproxy-api", "127.0.0.1:0")


def api_of(running: RunningServer) -> Api:
    (line,) = (line for line in running.logged("listening") if line["kind"] == "toxiproxy")
    return Api(running, line["address"], Upstream(), "it")


def test_reload_keeps_proxies_and_revisions_have_their_origin(start_server: Start) -> None:
    running = start_server(f"listeners:\n{NAMED}", "--watch-config", *OPTIONS)
    api = api_of(running)
    made = api.proxy()
    history = running.cli("history").stdout
    assert "toxiproxy-api" in history
    assert "proxy it added" in history
    running.config.write_text(f"listeners:\n{NAMED.replace('other', 'another')}")
    eventually(lambda: running.status()["revision"] == 3)
    assert api.call("GET", "/proxies").json == {"it": made}
    assert {one["name"] for one in running.status()["listeners"]} == {"another", "it"}
    api.exchanging(made["listen"]).close()
    api.upstream.close()


def test_proxies_outlive_a_restart_with_a_state(start_server: Start, tmp_path: Path) -> None:
    config, state = f"listeners:\n{NAMED}", ("--state", str(tmp_path / "state"))
    api = api_of(start_server(config, *OPTIONS, *state))
    api.proxy()
    api.toxic("timeout", timeout=5000)
    api.upstream.close()
    assert api.server.stop() == 0
    again = api_of(start_server(config, *OPTIONS, *state))
    assert [toxic["name"] for toxic in again.call("GET", "/proxies/it/toxics").json] == ["timeout"]
    again.upstream.close()


def test_port_of_the_api_cannot_be_a_listener(start_server: Start) -> None:
    running = start_server(f"listeners:\n{NAMED}", *OPTIONS)
    api = api_of(running)
    body = {"name": "it", "upstream": "127.0.0.1:1", "listen": api.address}
    status, message = api.call("POST", "/proxies", body).error
    assert (status, message.startswith("listen tcp: ")) == (500, True)
    api.upstream.close()
