"""The serial runner: operations one at a time, each to its end."""

import asyncio

import pytest

from answerback.concurrency.serial import SerialRunner


class Closed(Exception):
    """No operation may begin any more."""


class Steps:
    """Operations that record their steps; the first one waits until it may go on."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def slow(self) -> None:
        self.done.append("slow begins")
        self.begun.set()
        await self.go_on.wait()
        self.done.append("slow ends")

    async def quick(self) -> int:
        self.done.append("quick")
        return 7


async def test_operations_run_one_at_a_time_in_their_order() -> None:
    serial, steps = SerialRunner(), Steps()

    async def between() -> None:
        async with serial.between():
            steps.done.append("between")

    waiting = [asyncio.ensure_future(work) for work in (serial.run(steps.slow()), between(), serial.run(steps.quick()))]
    await steps.begun.wait()
    steps.go_on.set()
    await asyncio.gather(*waiting)
    assert steps.done == ["slow begins", "slow ends", "between", "quick"]


async def test_operation_whose_caller_is_cancelled_is_finished() -> None:
    serial, steps = SerialRunner(), Steps()
    caller = asyncio.ensure_future(serial.run(steps.slow()))
    await steps.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    steps.go_on.set()
    assert await serial.run(steps.quick()) == 7
    assert steps.done == ["slow begins", "slow ends", "quick"]


async def test_queued_operation_whose_caller_is_cancelled_does_not_run() -> None:
    serial, steps = SerialRunner(), Steps()
    before = asyncio.ensure_future(serial.run(steps.slow()))
    await steps.begun.wait()
    caller = asyncio.ensure_future(serial.run(steps.quick()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    steps.go_on.set()
    await before
    assert steps.done == ["slow begins", "slow ends"]


async def test_closed_runner_rejects_queued_and_new_operations_and_runs_blocks_between() -> None:
    serial, steps = SerialRunner(), Steps()
    running = asyncio.ensure_future(serial.run(steps.slow()))
    await steps.begun.wait()
    queued = asyncio.ensure_future(serial.run(steps.quick()))
    await asyncio.sleep(0)
    serial.close(Closed)
    steps.go_on.set()
    await running
    for rejected in (queued, serial.run(steps.quick())):
        with pytest.raises(Closed):
            await rejected
    with pytest.raises(Closed):
        serial.check_open()
    async with serial.between():
        steps.done.append("between")
    assert steps.done == ["slow begins", "slow ends", "between"]


async def test_failed_operation_raises_to_its_caller_and_the_next_one_runs() -> None:
    serial, steps = SerialRunner(), Steps()

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await serial.run(fail())
    assert await serial.run(steps.quick()) == 7
