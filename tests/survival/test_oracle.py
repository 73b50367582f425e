"""The judge finds wrong observations, and the regression finds growth."""

import asyncio
import random
from math import inf

import pytest

from tests.survival.clients import Client, Exchange, Judge, Seen
from tests.survival.measuring import slope
from tests.survival.world import Version, Window, World, renewed

ADDRESS = "127.0.0.1:1"
ONE = Version(1, "it", ADDRESS, "m1")


def world_of(*versions: Version) -> World:
    """One in which these were active, a second each, the last without end, beginning at 100 s."""
    world = World()
    for number, version in enumerate(versions):
        proposal = world.propose({version.name: version})
        proposal.taken()
        for period in proposal.new:
            period.begin = 100.0 + number
        for period in proposal.replaced:
            period.end = 100.0 + number
    return world


def seen(*heard: bytes, at: float = 100.5, end: str = "left", connected: bool = True) -> Seen:
    exchanges = [Exchange(b"ask 1", at, line, at) for line in heard]
    return Seen("it", ADDRESS, at, at if connected else 0.0, exchanges, end, at)


def faults(world: World, what: Seen) -> list[str]:
    return list(Judge(world).faults(what))


def test_reply_of_the_active_version_is_accepted() -> None:
    assert faults(world_of(ONE), seen(b"<m1 ask 1 m1>\n")) == []


@pytest.mark.parametrize("line", [b"<m1 ask 2 m1>\n", b"<m2 ask 1 m2>\n", b"<m1 ask 1 m2>\n", b"<m2 ask 1 m1>\n"])
def test_oracle_reports_a_wrong_reply(line: bytes) -> None:
    assert faults(world_of(ONE), seen(line))


def test_reply_of_a_version_is_accepted_only_while_it_is_active() -> None:
    world = world_of(ONE, renewed(ONE, "m2"))
    assert faults(world, seen(b"<m1 ask 1 m1>\n", at=100.5)) == []
    assert faults(world, seen(b"<m2 ask 1 m2>\n", at=101.5)) == []
    assert faults(world, seen(b"<m2 ask 1 m2>\n", at=100.5))
    assert faults(world, seen(b"<m1 ask 1 m1>\n", at=101.5))


@pytest.mark.parametrize("removed", [True, False])
@pytest.mark.parametrize("number", [1, 2])
def test_version_that_is_over_answers_only_the_first_request_and_only_if_its_listener_is_removed(
    removed: bool, number: int
) -> None:
    world = world_of(ONE)
    proposal = world.propose({} if removed else {"it": renewed(ONE, "m2")})
    proposal.taken()
    for period in proposal.replaced:
        period.end = 101.0
    earlier = [Exchange(b"ask 1", 100.6, b"<m1 ask 1 m1>\n", 100.7)] * (number - 1)
    late = Exchange(b"ask 2", 101.5, b"<m1 ask 2 m1>\n", 101.6)
    what = Seen("it", ADDRESS, 100.5, 100.5, [*earlier, late], "left", 102.0)
    assert (faults(world, what) == []) == (removed and number == 1)


def test_reply_mixed_of_two_versions_is_reported() -> None:
    world = world_of(ONE, renewed(ONE, "m2"))
    assert faults(world, seen(b"<m1 ask 1 m2>\n", at=101.0))


def test_oracle_reports_a_reply_of_a_rejected_change() -> None:
    world = world_of(ONE)
    proposal = world.propose({"it": renewed(ONE, "m2")})
    proposal.refused()
    assert world.current == {"it": ONE}
    assert len(faults(world, seen(b"<m2 ask 1 m2>\n", at=inf))) == 2


ENDS = [("eof", b""), ("eof", b"<m1 a"), ("reset", b""), ("refused", b""), ("stalled", b""), ("silence", b"")]


@pytest.mark.parametrize("end, heard", ENDS)
def test_oracle_reports_an_end_without_a_reason(end: str, heard: bytes) -> None:
    assert faults(world_of(ONE), seen(heard, end=end, connected=end not in {"refused", "stalled"}))


@pytest.mark.parametrize(
    "changes, end, heard",
    [
        ({"accept": "REFUSE"}, "refused", b""),
        ({"accept": "STALL"}, "stalled", b""),
        ({"accept": "HOLD"}, "silence", b""),
        ({"accept": "CLOSE"}, "eof", b""),
        ({"accept": "RESET"}, "reset", b""),
        ({"faults": ("truncate",)}, "eof", b"<m1 ask 1"),
        ({"faults": ("reset",)}, "reset", b"<m1 a"),
        ({"faults": ("drop",)}, "silence", b""),
        ({"faults": ("hang",)}, "silence", b""),
        ({"limits": "idle"}, "eof", b""),
        ({"limits": "short"}, "eof", b"<m1 a"),
        ({"limits": "few"}, "reset", b""),
    ],
)
def test_end_explained_by_the_version_is_accepted(changes: dict[str, object], end: str, heard: bytes) -> None:
    version = renewed(ONE, "m1", **changes)
    assert faults(world_of(version), seen(heard, end=end, connected=end not in {"refused", "stalled"})) == []
    other = "eof" if end == "reset" else "reset"
    assert end in {"reset", "eof"} or faults(world_of(version), seen(b"", end=other))


@pytest.mark.parametrize("end, heard, right", [("eof", b"", True), ("eof", b"<m1 a", False), ("reset", b"", False)])
def test_close_by_a_drain_is_accepted_only_between_replies(end: str, heard: bytes, right: bool) -> None:
    world = world_of(ONE)
    world.windows.append(Window("drain", 100.0, 101.0))
    assert (faults(world, seen(heard, end=end)) == []) is right
    assert faults(world, seen(heard, end=end, at=102.0))
    world.windows[0].listener = "another"
    assert faults(world, seen(heard, end=end))


@pytest.mark.parametrize("end, heard", [("eof", b""), ("eof", b"<m1 a"), ("reset", b"<m1 a")])
def test_oracle_accepts_any_end_during_a_worker_death(end: str, heard: bytes) -> None:
    world = world_of(ONE)
    world.windows.append(Window("kill", 100.0, 101.0))
    assert faults(world, seen(heard, end=end)) == []
    assert faults(world, seen(heard, end=end, at=102.0))


def test_close_and_refusal_by_a_removed_listener_are_accepted() -> None:
    world = world_of(ONE)
    world.propose({}).taken()
    world.periods[0].gone, world.periods[0].end = 101.0, 102.0
    assert faults(world, seen(b"", end="eof", at=101.5)) == []
    assert faults(world, seen(b"", end="eof", at=100.5))
    assert faults(world, seen(b"", end="refused", at=103.0, connected=False)) == []


@pytest.mark.parametrize("end", ["stalled", "silence"])
def test_silence_after_a_client_gave_up_is_accepted(end: str) -> None:
    silent = seen(b"", end=end, connected=end == "silence")
    assert faults(world_of(ONE), silent)
    silent.gave_up = True
    assert faults(world_of(ONE), silent) == []


async def test_survival_client_without_server_reports_refused(unused_tcp_port: int) -> None:
    version = renewed(ONE, "m1", address=f"127.0.0.1:{unused_tcp_port}")
    found = await Client(world_of(version), version, random.Random(1)).talk()
    assert (found.end, found.connected) == ("refused", 0.0)


async def test_survival_client_records_its_replies() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(b"<m1 %b m1>\n" % line.strip())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    version = renewed(ONE, "m1", address=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    world = world_of(version)
    world.periods[0].begin = 0.0
    async with server:
        for number in range(20):
            found = await Client(world, version, random.Random(number)).talk()
            assert faults(world, found) == []
            assert found.end in {"left", "abandoned"}
            assert found.received == sum(len(each.heard) for each in found.exchanges)
            assert found.sent == sum(len(each.request) + 1 for each in found.exchanges)


# ── Growth ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def noisy(rate: float, seconds: int, level: float = 50.0, seed: int = 1) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    return [(float(at), level + rate * at + chance.gauss(0, 0.5)) for at in range(seconds)]


def test_slope_of_noisy_growth_is_detected() -> None:
    found = slope([noisy(0.01, 600)])
    assert found.per_hour == pytest.approx(36, rel=0.2)
    assert found.least > 20


def test_slope_of_noisy_constant_is_flat() -> None:
    assert slope([noisy(0.0, 600)]).least < 1


def test_slope_ignores_different_levels_of_processes() -> None:
    found = slope([noisy(0.01, 200, level, seed=int(level)) for level in (100.0, 50.0, 20.0)])
    assert found.per_hour == pytest.approx(36, rel=0.5)
    assert abs(slope([noisy(0.0, 200, level, seed=int(level)) for level in (20.0, 50.0, 100.0)]).per_hour) < 10


def test_slope_of_too_few_samples_is_unknown() -> None:
    assert slope([noisy(1.0, 5)]).least == -inf


def test_oracle_accepts_a_queued_client_served_by_a_later_listener() -> None:
    """It queues where a worker has died, and the listener is another one by the time that there is a successor."""
    another = Version(2, "another", ADDRESS, "m2")
    world = world_of(ONE)
    world.propose({"another": another}).taken()
    world.periods[0].gone = world.periods[0].end = 101.0
    world.periods[1].begin = 101.0
    late = seen(b"<m2 ask 1 m2>\n", at=100.5)
    late.exchanges[0].done = late.ended = 102.0
    assert faults(world, late) == []
    late.exchanges.insert(0, Exchange(b"ask 1", 100.5, b"<m1 ask 1 m1>\n", 100.6))
    assert faults(world, late)
