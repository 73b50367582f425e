"""Waking everybody who waits for something to have changed."""

import asyncio

from answerback.supervisor.aio.notifier import Notifier


async def test_everybody_who_waits_is_woken_once() -> None:
    bell = Notifier()
    first, second = bell.next(), bell.next()
    bell.ring()
    await asyncio.gather(first, second)
    assert not bell.next().done()


async def test_who_asked_before_the_ring_hears_it_afterwards() -> None:
    bell = Notifier()
    news = bell.next()
    bell.ring()
    bell.ring()
    await news


async def test_who_leaves_takes_nobody_along() -> None:
    bell = Notifier()
    first, second = bell.next(), bell.next()
    first.cancel()
    bell.ring()
    await second


def test_nobody_need_listen() -> None:
    Notifier().ring()
