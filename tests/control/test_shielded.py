"""Work that must finish although its caller hangs up."""

import asyncio
import logging

import pytest

from answerback.control.shielded import finish


async def test_the_result_comes_back() -> None:
    async def work() -> int:
        return 7

    assert await finish(work()) == 7


async def test_an_exception_comes_back() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await finish(work())


async def test_work_goes_on_when_the_caller_is_cancelled() -> None:
    begun, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go.wait()
        done.set()

    caller = asyncio.create_task(finish(work()))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go.set()
    await done.wait()


async def test_what_work_raises_after_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go.wait()
        raise ValueError("too late")

    caller = asyncio.create_task(finish(work()))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with caplog.at_level(logging.WARNING):
        go.set()
        for _ in range(3):
            await asyncio.sleep(0)
    assert caplog.messages == ["a call failed after its client had left: too late"]
