"""Waking everybody who waits for something to have changed."""

import asyncio

from answerback.supervisor.bell import Bell


async def test_everybody_who_waits_is_woken_once() -> None:
    bell = Bell()
    first, second = bell.next(), bell.next()
    bell.ring()
    await asyncio.gather(first, second)
    assert not bell.next().done()


async def test_who_asked_before_the_ring_hears_it_afterwards() -> None:
    bell = Bell()
    news = bell.next()
    bell.ring()
    bell.ring()
    await news


async def test_who_leaves_takes_nobody_along() -> None:
    bell = Bell()
    first, second = bell.next(), bell.next()
    first.cancel()
    bell.ring()
    await second


def test_nobody_need_listen() -> None:
    Bell().ring()
