"""Waking all tasks that wait for a change."""

import asyncio

from answerback.concurrency.notifier import Notifier


async def test_notifier_notify_wakes_each_waiter_once() -> None:
    notifier = Notifier()
    first, second = notifier.changed(), notifier.changed()
    notifier.notify()
    await asyncio.gather(first, second)
    assert not notifier.changed().done()


async def test_notifier_waits_registered_before_the_notify_are_woken() -> None:
    notifier = Notifier()
    news = notifier.changed()
    notifier.notify()
    notifier.notify()
    await news


async def test_cancelled_notifier_wait_leaves_the_others_waiting() -> None:
    notifier = Notifier()
    first, second = notifier.changed(), notifier.changed()
    first.cancel()
    notifier.notify()
    await second


def test_notifier_notify_without_waiters_does_nothing() -> None:
    Notifier().notify()
