"""slowhttptest at the metrics port: probes and scrapes are answered during hundreds of slow connections."""

import shutil
import subprocess
import time
import urllib.request

import pytest

from tests.programs.conftest import RunningServer, Serve
from tests.waiting import eventually

pytestmark = pytest.mark.programs

CONNECTIONS = 400
SECONDS = 5
HELLO = "listeners: [{name: hello, address: '127.0.0.1:PORT', rules: [{do: [send: hi, close]}]}]"

ATTACKS = {
    "slow headers": ["-H", "-i", "1"],  # slowloris
    "slow body": ["-B", "-i", "1", "-s", "8192"],
    "slow read": ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "5"],
}


def asked(server: RunningServer, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics}{path}", timeout=5) as answer:
        answer.read()
        return int(answer.status)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_probes_are_answered_during_a_slow_http_attack(serve: Serve, attack: list[str]) -> None:
    program = shutil.which("slowhttptest")
    assert program, "slowhttptest is missing (Debian: apt install slowhttptest)"
    server = serve(HELLO)
    url = f"http://127.0.0.1:{server.metrics}/metrics"
    command = [program, *attack, "-c", str(CONNECTIONS), "-r", "200", "-l", str(SECONDS), "-u", url]
    attacker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    answered = 0
    try:
        began = time.monotonic()
        while attacker.poll() is None and time.monotonic() - began < 4 * SECONDS:
            assert asked(server, "/healthz") == 200
            assert asked(server, "/readyz") == 200
            answered += 1
    finally:
        attacker.kill()
        attacker.wait()
    assert answered >= 5
    eventually(lambda: asked(server, "/metrics") == 200, what="a scrape")
