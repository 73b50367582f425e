"""bench.relay and bench.proxies: how relays are started and measured, and a run of this part."""

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench.__main__ as bench
from answerback.document.document import load
from answerback.language.check import check
from bench import proxies, relay, roster
from bench.cpu import usable_cores
from bench.load import REPLY, LoadFailed, probe
from bench.proxies import PROXIES, Upstreams, filled, relaying
from bench.roster import CONTENDERS, Launch, started
from bench.server import CouldNotRun

CORE = usable_cores().server
HAS_COMPILER = any(shutil.which(name) for name in roster.COMPILERS)


@pytest.fixture
def upstreams(tmp_path: Path) -> Iterator[Upstreams]:
    with started(CONTENDERS["uvloop"], tmp_path, CORE) as small, started(relay.SOURCE, tmp_path, CORE) as source:
        yield Upstreams(small.port, source.port)


def test_configuration_of_answerback_is_valid() -> None:
    loaded = load(filled(proxies.ANSWERBACK, SMALL="127.0.0.1:8442", MUCH=8443, FLOOR=8444, SOURCE=8445))
    assert (*loaded.problems, *check(loaded.config, {})) == ()
    assert [listener.upstream.address for listener in loaded.config.listeners] == ["127.0.0.1:8444", "127.0.0.1:8445"]


def test_bare_proxy_relays_what_the_bench_measures(tmp_path: Path, upstreams: Upstreams) -> None:
    bare = next(proxy for proxy in PROXIES if proxy.key == "uvloop")
    with relaying(bare, tmp_path, upstreams, CORE) as running:
        probe(running.server.port, 1000)
        relay.receive(running.much, 10_000_000)
        with socket.create_connection(("127.0.0.1", running.server.port), 5) as client:
            client.sendall(b"PING\r\n")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100, socket.MSG_WAITALL) == REPLY  # up to the upstream's FIN
        assert len(relay.round_trips(running.server.port, 0.01)) == 10


def test_answers_that_are_not_those_of_the_upstream_are_no_measurement() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for _ in range(2):
                with listener.accept()[0] as client:
                    client.recv(100)
                    client.sendall(b"+PANG\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(LoadFailed, match="7 of 10 bytes"):
            relay.receive(listener.getsockname()[1], 10)
        with pytest.raises(LoadFailed, match="PANG"):
            relay.round_trips(listener.getsockname()[1], 0.01)
        thread.join(5)


def test_relay_that_is_not_installed_could_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.proxies.shutil.which", lambda *_arguments, **_options: None)
    for prepare, name in ((proxies.haproxy, "haproxy"), (proxies.nginx, "nginx")):
        with pytest.raises(CouldNotRun, match=f"{name} is not installed"):
            prepare(tmp_path, Upstreams(1, 2), 3)


@pytest.mark.long
@pytest.mark.skipif(
    not (HAS_COMPILER and shutil.which("redis-benchmark")), reason="needs redis-benchmark and a compiler"
)
def test_relay_that_fails_is_left_out_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_build: Path, _upstreams: Upstreams, _much: int) -> Launch:
        raise CouldNotRun("not here")

    def no_source(build: Path, upstreams: Upstreams, much: int) -> Launch:
        return proxies.uvloop(build, Upstreams(upstreams.floor, upstreams.floor), much)

    absent, wrong = proxies.Proxy("haproxy", "absent", nothing), proxies.Proxy("nginx", "wrong", no_source)
    bare = next(proxy for proxy in PROXIES if proxy.key == "uvloop")
    monkeypatch.setattr(relay, "PROXIES", (absent, wrong, bare))
    monkeypatch.setattr(relay, "TIMEOUT_S", 1)
    missed = []
    measured = relay.RelayBench(
        tmp_path, usable_cores(), 2, 20, True, lambda key, _what, why: missed.append((key, str(why))), lambda _: None
    )
    found = list(measured.measure(("haproxy", "nginx", "uvloop")))
    assert [each.relay for each in found] == ["uvloop"]
    assert [len(each.samples) for each in (found[0].round_trip, found[0].mib, found[0].added)] == [2, 2, 2]
    assert min(*found[0].round_trip.samples, *found[0].mib.samples) > 0
    assert found[0].idle_kib is not None
    assert [key for key, _ in missed] == ["haproxy", "nginx"]


@pytest.mark.long
@pytest.mark.skipif(
    not (shutil.which("haproxy") and Path("/usr/sbin/nginx").exists() and shutil.which("redis-benchmark")),
    reason="needs haproxy, nginx and redis-benchmark",
)
def test_relay_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "relay", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["missing"] == []
    assert [each["relay"] for each in found["relays"]] == [proxy.key for proxy in PROXIES]
    shown = capsys.readouterr().out
    for proxy in PROXIES:
        assert proxy.title in shown
