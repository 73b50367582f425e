"""Tasks that run one after another."""

import asyncio

import pytest

from answerback.supervisor.aio.serial import SerialRunner


class Closed(Exception):
    """No more turns."""


def refuse() -> None:
    raise Closed


async def test_serial_task_starts_after_the_one_before_has_ended() -> None:
    turns = SerialRunner(lambda: None)
    said: list[str] = []
    go_on = asyncio.Event()

    async def first() -> None:
        said.append("first begins")
        await go_on.wait()
        said.append("first ends")

    async def second() -> None:
        said.append("second")

    waiting = [asyncio.ensure_future(turns.take(first)), asyncio.ensure_future(turns.between(second))]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*waiting)
    assert said == ["first begins", "first ends", "second"]


async def test_serial_runner_finishes_work_whose_caller_is_cancelled() -> None:
    turns = SerialRunner(lambda: None)
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        ended.set()

    caller = asyncio.ensure_future(turns.take(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await ended.wait()


async def test_serial_runner_skips_queued_work_whose_caller_is_cancelled() -> None:
    turns = SerialRunner(lambda: None)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        begun.set()
        await go_on.wait()

    async def never() -> None:
        pytest.fail("nobody asks any more")

    before = asyncio.ensure_future(turns.take(long))
    await begun.wait()
    caller = asyncio.ensure_future(turns.take(never))
    await asyncio.sleep(0)
    caller.cancel()
    go_on.set()
    await before
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_rejected_serial_task_does_not_block_the_next() -> None:
    turns = SerialRunner(refuse)

    async def nothing() -> int:
        return 7

    with pytest.raises(Closed):
        await turns.take(nothing)
    assert await turns.between(nothing) == 7
