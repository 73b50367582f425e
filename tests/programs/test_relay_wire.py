"""What both ends of a relayed connection see in tshark: the same as without a relay."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.programs.wire import ANSWER, QUESTION, SCENARIOS

pytestmark = pytest.mark.programs

NAMESPACE = ["unshare", "--map-root-user", "--net"]
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What tshark saw, in a network namespace if the kernel permits one."""
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark")
    permitted = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    program = [sys.executable, "-m", "tests.programs.wire", str(tmp_path_factory.mktemp("wire"))]
    command = [*(NAMESPACE if permitted else ()), *program]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, cwd=Path(__file__).parents[2]
    )
    if done.returncode and not permitted:
        pytest.skip(f"cannot capture on the loopback: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("scenario", [each.__name__ for each in SCENARIOS])
def test_both_ends_see_bytes_fin_and_rst_as_without_a_relay(seen: Any, scenario: str) -> None:
    direct, same = seen[""][scenario]
    assert direct == same
    assert sum(direct["bytes"].values()) == len(QUESTION) + len(ANSWER)
    assert len(direct["order"]) in (3, 4)
    assert ("reset" in scenario) is any("RST" in event for event in direct["order"])
    for engine in ("callback", "coroutine"):
        assert seen[engine][scenario] == [direct, direct], engine
