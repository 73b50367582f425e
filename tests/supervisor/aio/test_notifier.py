"""Waking all tasks that wait for a change."""

import asyncio

from answerback.supervisor.aio.notifier import Notifier


async def test_notifier_ring_wakes_each_waiter_once() -> None:
    bell = Notifier()
    first, second = bell.next(), bell.next()
    bell.ring()
    await asyncio.gather(first, second)
    assert not bell.next().done()


async def test_notifier_waits_registered_before_the_ring_are_woken() -> None:
    bell = Notifier()
    news = bell.next()
    bell.ring()
    bell.ring()
    await news


async def test_cancelled_notifier_wait_leaves_the_others_waiting() -> None:
    bell = Notifier()
    first, second = bell.next(), bell.next()
    first.cancel()
    bell.ring()
    await second


def test_notifier_ring_without_waiters_does_nothing() -> None:
    Notifier().ring()
