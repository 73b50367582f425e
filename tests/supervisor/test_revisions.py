"""Where revisions are kept."""

import asyncio

import pytest

from answerback.supervisor.revisions import Conflict, Revision, RevisionsInMemory
from answerback.v1 import config_pb2 as v1


def revision(number: int) -> Revision:
    return Revision(number, f"id-{number}", v1.Config())


async def test_the_newest_is_kept() -> None:
    store = RevisionsInMemory()
    assert await store.newest() is None
    await store.append(revision(1), after=0)
    await store.append(revision(2), after=1)
    newest = await store.newest()
    assert newest is not None
    assert newest.number == 2


@pytest.mark.parametrize("after", [0, 2])
async def test_who_saw_another_newest_is_refused(after: int) -> None:
    store = RevisionsInMemory()
    await store.append(revision(1), after=0)
    with pytest.raises(Conflict, match=f"revision 1 is the newest, not {after}"):
        await store.append(revision(3), after=after)


async def test_watching() -> None:
    store = RevisionsInMemory()
    await store.append(revision(1), after=0)
    watch = store.watch(0)
    assert (await anext(watch)).number == 1
    news = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    assert not news.done()
    await store.append(revision(2), after=1)
    assert (await news).number == 2


async def test_watching_may_leave_out_what_is_past() -> None:
    store = RevisionsInMemory()
    watch = store.watch(0)
    await store.append(revision(1), after=0)
    await store.append(revision(2), after=1)
    assert (await anext(watch)).number == 2
