"""All promises at once: under load, through random changes, while workers are killed, stopped and replaced."""

# Rule: a run is repeated with ANSWERBACK_SEED=…; the seed decides what is done, not when.

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.survival.campaign import Campaign, ipv6_is_here
from tests.survival.changes import Changes
from tests.survival.chaos import Chaos
from tests.survival.world import World
from tests.system.conftest import RunningServer, await_listening, end, launch

QUICK_SECONDS = 12.0
SECONDS = float(os.environ.get("ANSWERBACK_SURVIVAL_SECONDS", "600"))
MEMORY_MIB = 150.0
"""More than any process of a campaign ever has."""
GROWTH = {
    "supervisor memory": (24.0, 4.0),  # MiB an hour, and in all
    "worker memory": (24.0, 4.0),
    "supervisor descriptors": (20.0, 10.0),
    "worker descriptors": (60.0, 10.0),
}
"""What is not flat any more: more an hour than this, and more during the campaign than this."""


@contextmanager
def campaign(folder: Path, seed: str) -> Iterator[Campaign]:
    """A server, and all that will happen to it."""
    with tempfile.TemporaryDirectory() as sockets:  # pytest's folders are too deep for a socket's path
        world = World()
        (folder / "payloads").mkdir()
        path = folder / "answerback.yaml"
        running = RunningServer(process=None, log=folder / "log", config=path)  # type: ignore[arg-type]  # until it starts
        changes = Changes(world, running, folder, Path(sockets), seed, ipv6=ipv6_is_here())
        first = world.propose(changes.first())
        path.write_text(world.text(first.wanted.values()))
        started = launch(
            path, folder / "log", "--workers", "2", "--watch-config", "--files", str(folder), "--keep-revisions", "30"
        )
        try:
            await_listening(started)
            vars(running).update(vars(started))
            first.taken()
            yield Campaign(running, changes, Chaos(world, running, seed), world, seed)
        finally:
            end(started)


async def check(folder: Path, seed: str, seconds: float, clients: int) -> Campaign:
    """Run a campaign; AssertionError says all that was wrong with it."""
    with campaign(folder, seed) as run:
        try:
            await run.go_on(seconds, clients)
            before = await run.come_to_rest()
            wrong = run.unbalanced(before)
            books = await run.quiet_load()
            wrong += await run.differences(before, books)
            wrong += await run.stop()
        except BaseException as error:
            error.add_note(f"ANSWERBACK_SEED={seed}; the journal is {run.journal}")
            raise
        wrong += run.findings.wrong
        excerpt = run.excerpt()
        wrong += [f"in the log: {line}" for line in run.unexpected_lines()]
        lost = run.connections_lost()
        if run.findings.lost_by_death > lost:
            wrong.append(f"deaths cost {lost} connections by the log; clients saw {run.findings.lost_by_death}")
        if run.findings.lost_by_move > max(2, run.findings.connections // 200):
            wrong.append(f"{run.findings.lost_by_move} connections were reset in the middle of a move")
        if run.measurements.most_memory() > MEMORY_MIB:
            wrong.append(f"a process took {run.measurements.most_memory():.0f} MiB")
        run.findings.wrong.clear()
        summary = f"{run.findings} {run.changes.made} {run.changes.failed} {run.chaos.done}"
        listed = "\n".join(wrong[:20])
        assert not wrong, (
            f"ANSWERBACK_SEED={seed}: {len(wrong)} wrong (journal: {run.journal}):\n{listed}\n{summary}\n{excerpt}"
        )
        return run


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", ["1"])
async def test_short_campaign_breaks_no_promise(tmp_path: Path, seed: str) -> None:
    run = await check(tmp_path, os.environ.get("ANSWERBACK_SEED", seed), QUICK_SECONDS, clients=6)
    assert run.findings.connections
    assert run.findings.requests
    assert run.changes.made.total()


@pytest.mark.survival
@pytest.mark.timeout(SECONDS + 900)
async def test_long_campaign_breaks_no_promise_and_memory_does_not_grow(
    tmp_path: Path, seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{SECONDS:g} s with ANSWERBACK_SEED={seed}, in {tmp_path}\n")
    run = await check(tmp_path, seed, SECONDS, clients=12)
    warm_up = SECONDS / 3
    slopes = run.measurements.slopes(warm_up, young=20.0)
    hours = (SECONDS - warm_up) / 3600
    with capsys.disabled():
        sys.stdout.write(f"{run.findings}\n{run.changes.made}\n{run.changes.failed}\n{run.chaos.done}\n{slopes}\n")
    grown = {
        what: slope
        for what, slope in slopes.items()
        if slope.least > GROWTH[what][0] and slope.least * hours > GROWTH[what][1]
    }
    assert not grown, f"ANSWERBACK_SEED={seed}"
