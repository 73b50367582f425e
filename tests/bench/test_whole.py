"""The bench as a whole, against a stand-in for ``answerback serve``: a supervisor, one worker, a metrics page."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench

STAND_IN = r'''
import http.server, pathlib, re, subprocess, sys, threading

WORKER = """
import socket, socketserver, sys
class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            for line in self.rfile:
                self.wfile.write(b"+PONG\\r\\n")
                if "once" in sys.argv[2]:
                    return
        except ConnectionError:
            pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1000
Server(("127.0.0.1", int(sys.argv[1])), Lines).serve_forever()
"""

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"""\
answerback_worker_startup_duration_seconds{worker="0"} 0.125
answerback_connections_accepted_total{listener="bench"} 5
answerback_connections_closed_total{listener="bench",reason="peer_eof"} 3
answerback_connections_open{listener="bench"} 1
""")
    def log_message(self, *_):
        pass

options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert sys.argv[1] == "serve" and options["--workers"] == "1", sys.argv
config = pathlib.Path(options["--config"])
port = re.search(r"address: 127\.0\.0\.1:(\d+)", config.read_text())[1]
worker = subprocess.Popen([sys.executable, "-c", WORKER, port, config.name])
page = http.server.HTTPServer(("127.0.0.1", int(options["--metrics"].split(":")[1])), Page)
threading.Thread(target=page.serve_forever, daemon=True).start()
import signal
signal.sigwait({signal.SIGTERM})
worker.kill()
worker.wait()
'''


@pytest.fixture
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "answerback"
    mask = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
    program.write_text(f"#!{sys.executable}\n{mask}{STAND_IN}")
    program.chmod(0o755)
    monkeypatch.setattr("bench.roster.sys.executable", str(tmp_path / "python"))


@pytest.mark.usefixtures("_stand_in")
def test_bench_measures_memory_and_start_of_workers(tmp_path: Path) -> None:
    found = run_bench(tmp_path, "--parts", "memory,start", "--contenders", "callback")
    assert found["missing"] == []
    assert [each["contender"] for each in found["memory"]] == ["callback"]
    assert found["memory"][0]["connected_bytes"] > 0  # the worker's threads: it is the descendant that is weighed
    assert found["start"]["first_beat"]["median"] == 0.125
    assert found["start"]["first_answer"]["median"] > 0


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="needs redis-benchmark")
@pytest.mark.usefixtures("_stand_in")
def test_bench_measures_load_over_supervisor_and_worker(tmp_path: Path) -> None:
    found = run_bench(tmp_path, "--parts", "one-shot", "--contenders", "floor,callback,select-original,callback-once")
    costs = {each["contender"]: each["microseconds"]["median"] for each in found["costs"]}
    pairs = {(each["subject"], each["baseline"]) for each in found["comparisons"]}
    assert ("callback", "floor") in pairs
    assert min(costs["callback"], costs["floor"]) > 0
    assert found["books_astray"] == 1


def run_bench(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a smoke run and return what it wrote."""
    path = folder / "found.json"
    assert bench.main(["--smoke", "--json", str(path), *arguments]) == 0
    content: dict[str, Any] = json.loads(path.read_text())
    return content
