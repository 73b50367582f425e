"""kill -9 at every step of a save: after a restart an acknowledged change is still there."""

import subprocess
import sys
from pathlib import Path

import pytest

from answerback.supervisor.revisions.sqlite_store import SqliteStore
from answerback.supervisor.revisions.store import Retention
from tests.supervisor.crashing_supervisor import KEPT, STEPS, text_of
from tests.supervisor.histories import numbers
from tests.thoroughness import THOROUGH

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("crashing_supervisor.py")
# BEGIN, the newest number, what is young enough, what is pruned (3), the content, the revision, COMMIT.
STATEMENTS = 10
EACH, AT_RANDOM = (10, 50) if THOROUGH else (2, 10)  # 200 in all, or 40


class Client:
    """The state that an observer of all output knows."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.asked = 1  # the file, when there is nothing yet
        self.killed = 0
        self.survived = 0

    def hear(self, line: str) -> None:
        kind, *rest = line.split()
        match kind:
            case "restored":
                number = int(rest[0])
                assert self.acknowledged <= number <= self.asked, line
                assert rest[1] == ("-" if number == 1 else str(number)), line
                self.acknowledged = self.asked = number
            case "asked":
                self.asked = int(rest[0])
            case "acknowledged":
                self.acknowledged = int(rest[0])
            case "killed":
                self.killed += 1
            case "survived":
                assert rest == ["0"], line
                self.survived += 1


def crash(folder: Path, step: str, times: int) -> Client:
    """Kill it this number of times; return what a client has seen."""
    (folder / "answerback.yaml").write_text("listeners: []")
    client = Client()
    for each, count in (("nothing", 1), (step, times)):  # first as many as are kept
        command = [sys.executable, str(SCRIPT), str(folder), each, str(count), "17"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        for line in result.stdout.splitlines():
            client.hear(line)
    client.survived -= 1
    return client


async def check(folder: Path, client: Client) -> None:
    """The history is whole: numbers without a gap, each with its own content, up to what was acknowledged or asked."""
    state = await SqliteStore.open(folder / "state", Retention())
    kept = await numbers(state)
    assert client.acknowledged <= kept[0] <= client.asked
    assert kept == list(range(kept[0], max(kept[0] - KEPT, 0), -1))
    for number in kept:
        revision = await state.get(number)
        assert revision is not None
        assert text_of(revision.config) == ("-" if number == 1 else str(number))
    await state.close()


@pytest.mark.parametrize("step", [*STEPS, *(f"statement {number}" for number in range(1, STATEMENTS + 1))])
async def test_supervisor_killed_at_each_step_loses_no_revision(tmp_path: Path, step: str) -> None:
    client = crash(tmp_path, step, EACH)
    assert (client.killed, client.survived) == (EACH, 0)
    await check(tmp_path, client)


async def test_supervisor_killed_at_random_moments_loses_no_revision(tmp_path: Path) -> None:
    client = crash(tmp_path, "random", AT_RANDOM)
    assert client.killed == AT_RANDOM
    await check(tmp_path, client)


async def test_crash_test_covers_every_statement(tmp_path: Path) -> None:
    """Else one of them would not be tried."""
    client = crash(tmp_path, f"statement {STATEMENTS + 1}", 1)
    assert (client.killed, client.survived) == (0, 1)
