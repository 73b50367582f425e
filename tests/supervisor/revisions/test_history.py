"""The history, as callers read it."""

import asyncio

import pytest

from answerback.supervisor.revisions import history as module
from answerback.supervisor.revisions.history import History, NotKept, NotOfThisHistory
from answerback.supervisor.revisions.store import Retention, Revision, RevisionsInMemory
from tests.supervisor.histories import fill, revision


async def test_history_get_returns_a_revision_or_not_kept() -> None:
    store = RevisionsInMemory("abc")
    made = await fill(store, 2)
    assert await History(store).get(1) == made[0]
    for number in (0, 3, 1 << 63):
        with pytest.raises(NotKept, match=f"revision {number} is not in the history"):
            await History(store).get(number)


async def test_history_pages_continue_although_revisions_are_added() -> None:
    store = RevisionsInMemory("abc")
    made = await fill(store, 5)
    history = History(store)
    first = await history.page("", 2, whole=False)
    assert list(first.revisions) == [made[4].entry, made[3].entry]
    await store.append(revision(6, store=store), after=5)
    second = await history.page(first.next_token, 2, whole=False)
    third = await history.page(second.next_token, 2, whole=False)
    assert list(second.revisions) == [made[2].entry, made[1].entry]
    assert list(third.revisions) == [made[0].entry]
    assert third.next_token == ""


async def test_last_history_page_has_no_token() -> None:
    store = RevisionsInMemory("abc")
    await fill(store, 2)
    assert (await History(store).page("", 2, whole=False)).next_token == ""
    assert (await History(RevisionsInMemory("abc")).page("", 2, whole=False)).revisions == []


async def test_history_pages_with_configurations_fit_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    store = RevisionsInMemory("abc")
    made = await fill(store, 5)
    monkeypatch.setattr(module, "WHOLE_PAGE_BYTES", 2 * made[0].config.ByteSize())
    history = History(store)
    pages, token = [], ""
    while True:
        page = await history.page(token, 4, whole=True)
        pages.append([each.number for each in page.revisions if isinstance(each, Revision)])
        token = page.next_token
        if not token:
            break
    assert pages == [[5, 4], [3, 2], [1]]


async def test_history_page_with_one_too_large_revision_has_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    store = RevisionsInMemory("abc")
    await fill(store, 2)
    monkeypatch.setattr(module, "WHOLE_PAGE_BYTES", 1)
    page = await History(store).page("", 2, whole=True)
    assert [each.number for each in page.revisions] == [2]


@pytest.mark.parametrize("mark", ["x", "other-1", "abc-0", "abc-01", "abc-", "-1", "abc-1\n", "abc-" + "9" * 30])
async def test_history_mark_of_another_history_is_rejected(mark: str) -> None:
    store = RevisionsInMemory("abc")
    await fill(store, 2)
    with pytest.raises(NotOfThisHistory, match="is of another history than this one"):
        await History(store).page(mark, 2, whole=False)
    with pytest.raises(NotOfThisHistory):
        await anext(History(store).watch(mark))


async def test_watch_starts_with_the_newest_revision() -> None:
    store = RevisionsInMemory("abc")
    await fill(store, 3)
    watch = History(store).watch("")
    seen = await anext(watch)
    assert (seen.revision.number, seen.skipped) == (3, 0)
    news = asyncio.ensure_future(anext(watch))
    await store.append(revision(4, store=store), after=3)
    assert ((await news).revision.number, (await news).skipped) == (4, 0)


async def test_watch_after_an_etag_starts_with_the_next_revision() -> None:
    store = RevisionsInMemory("abc")
    made = await fill(store, 3)
    watch = History(store).watch(made[0].etag)
    assert [(await anext(watch)).revision.number for _ in range(2)] == [2, 3]


async def test_history_watch_of_slow_reader_counts_skipped_revisions() -> None:
    store = RevisionsInMemory("abc", Retention(count=3))
    watch = History(store).watch("")
    await fill(store, 1)
    assert (await anext(watch)).revision.number == 1
    for number in range(2, 8):
        await store.append(revision(number, store=store), after=number - 1)
    seen = [await anext(watch) for _ in range(3)]
    assert [(each.revision.number, each.skipped) for each in seen] == [(5, 3), (6, 0), (7, 0)]


async def test_watch_after_a_future_etag_is_rejected() -> None:
    store = RevisionsInMemory("abc")
    await fill(store, 1)
    with pytest.raises(NotOfThisHistory, match="abc-2: this history has come to revision 1 only"):
        await anext(History(store).watch("abc-2"))


async def test_history_watch_after_the_newest_waits_for_the_next() -> None:
    store = RevisionsInMemory("abc")
    made = await fill(store, 2)
    watch = History(store).watch(made[1].etag)
    coming = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    assert not coming.done()
    third = revision(3, store=store)
    await store.append(third, after=2)
    seen = await coming
    assert (seen.revision, seen.skipped) == (third, 0)
