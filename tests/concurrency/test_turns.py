"""Turns: tasks that have much to do work one after the other."""

import asyncio

import pytest

from answerback.concurrency import turns
from answerback.concurrency.turns import LOOK_EVERY, SLICE_SECONDS, Turns


async def test_turns_are_granted_in_order_and_one_in_each_iteration_of_the_loop() -> None:
    shared, order, iteration = Turns(), list[tuple[int, int]](), 0

    async def work(which: int) -> None:
        for _ in range(2):
            await shared.next()
            order.append((iteration, which))

    async def count() -> None:
        nonlocal iteration
        while len(order) < 6:
            iteration += 1
            await asyncio.sleep(0)

    await asyncio.gather(count(), *(work(which) for which in range(3)))
    assert [which for _, which in order] == [0, 1, 2, 0, 1, 2]
    assert len({iteration for iteration, _ in order}) == 6


async def test_turn_of_a_cancelled_task_goes_to_the_next_one() -> None:
    shared = Turns()
    first, second = (asyncio.create_task(shared.next()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()


async def test_turn_is_over_when_its_time_is_used() -> None:
    shared = Turns()
    await shared.next()
    assert not shared.over()
    while not shared.over():
        sum(range(1000))


async def test_items_are_yielded_in_order_in_as_many_turns_as_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(turns, "thread_time", lambda: now)
    shared, working = Turns(), list[int]()

    async def work(which: int) -> list[int]:
        nonlocal now
        found = []
        async for item in shared.each(range(3 * LOOK_EVERY)):
            found.append(item)
            working.append(which)
            now += 2 * SLICE_SECONDS / LOOK_EVERY
        return found

    assert list(await asyncio.gather(work(1), work(2))) == [list(range(3 * LOOK_EVERY))] * 2
    assert [working[at] for at in range(0, len(working), LOOK_EVERY)] == [1, 2, 1, 2, 1, 2]
