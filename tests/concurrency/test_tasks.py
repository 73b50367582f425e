"""Tasks that may outlive their callers."""

import asyncio
import gc
import logging
from typing import Any

import pytest

from answerback.concurrency.tasks import Tasks


async def fail() -> None:
    raise ZeroDivisionError("on purpose")


async def test_finish_returns_the_result_and_raises_the_error_of_its_work() -> None:
    async def seven() -> int:
        return 7

    assert await Tasks().finish(seven()) == 7
    with pytest.raises(ZeroDivisionError):
        await Tasks().finish(fail())


async def test_work_whose_caller_is_cancelled_goes_on_though_nothing_else_refers_to_it() -> None:
    go_on, ended, tasks = asyncio.Event(), asyncio.Event(), Tasks()

    async def work() -> None:
        await go_on.wait()
        ended.set()

    caller = asyncio.ensure_future(tasks.finish(work()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    del caller
    gc.collect()
    go_on.set()
    await asyncio.wait_for(ended.wait(), 20)


async def test_failure_after_its_caller_has_left_is_not_reported() -> None:
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    task = Tasks().start(fail())
    await asyncio.wait((task,))
    del task
    gc.collect()
    assert found == []


async def test_failure_of_a_task_without_a_caller_is_logged_with_its_message(caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.wait((Tasks().start(fail(), failure="stopped watching"),))
    (record,) = caplog.records
    assert (record.levelno, record.message) == (logging.CRITICAL, "stopped watching")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def test_cancelled_task_without_a_caller_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    task = Tasks().start(asyncio.Event().wait(), failure="stopped watching")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    assert (task.cancelled(), caplog.records) == (True, [])
