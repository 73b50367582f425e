"""Stores of revisions: the behaviour of every store, and of the one in memory."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from answerback.language.contents import Content, Contents, Large
from answerback.supervisor.errors import Conflict
from answerback.supervisor.revisions.sqlite_store import SqliteStore
from answerback.supervisor.revisions.store import (
    API,
    FILE,
    TOXIPROXY,
    Retention,
    Revision,
    RevisionsInMemory,
    RevisionStore,
    fingerprint,
)
from tests.supervisor.histories import config, fill, numbers, revision

Open = Callable[..., Awaitable[RevisionStore]]


@pytest.fixture(params=["memory", "directory"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Open a store of either kind: `await open_store(Retention(count=3))`."""
    opened: list[RevisionStore] = []

    async def start(retention: Retention | None = None) -> RevisionStore:
        if request.param == "memory":
            store: RevisionStore = RevisionsInMemory("abc", retention)
        else:
            store = await SqliteStore.open(tmp_path / "state", retention or Retention())
        opened.append(store)
        return store

    yield start
    for store in opened:
        await store.close()


# ── Every store ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_store_returns_revisions_as_they_were_given(open_store: Open) -> None:
    store = await open_store()
    assert (await store.newest(), await store.get(1), await store.page(9, 9)) == (None, None, [])
    given = {
        "files": {"page": b"\0\xff", "empty": b""},
        "comment": "why\n\N{SNOWMAN}",
        "origin": "api",
        "identity": "alice",
    }
    first, second = await fill(store, 2, **given)
    assert (await store.newest(), await store.get(1), await store.get(2), await store.get(3)) == (
        *(second, first, second),
        None,
    )


async def test_etag_consists_of_history_and_number(open_store: Open) -> None:
    store = await open_store()
    (first,) = await fill(store, 1)
    history, _, number = first.etag.rpartition("-")
    assert history
    assert number == "1"
    found = await store.get(1)
    assert found is not None
    assert found.etag == first.etag == store.etag(1)


async def test_store_pages_have_the_newest_revision_first(open_store: Open) -> None:
    store = await open_store()
    made = await fill(store, 5, comment="why")
    assert list(await store.page(1 << 62, 2)) == [made[4].entry, made[3].entry]
    assert list(await store.page(4, 2)) == [made[2].entry, made[1].entry]
    assert list(await store.page(2, 2)) == [made[0].entry]
    assert list(await store.page(1, 2)) == []


@pytest.mark.parametrize("after", [0, 2])
async def test_append_after_another_revision_than_the_newest_conflicts(open_store: Open, after: int) -> None:
    store = await open_store()
    await fill(store, 1)
    with pytest.raises(Conflict, match=f"revision 1 is the newest, not {after}"):
        await store.append(revision(3, store=store), after=after)
    assert await numbers(store) == [1]


async def test_watch_yields_kept_and_then_new_revisions(open_store: Open) -> None:
    store = await open_store()
    await fill(store, 1)
    watch = store.watch(0)
    assert (await anext(watch)).number == 1
    news = asyncio.ensure_future(anext(watch))
    await store.newest()
    assert not news.done()
    await store.append(revision(2, store=store), after=1)
    assert (await news).number == 2


async def test_slow_watcher_receives_revisions_in_order(open_store: Open) -> None:
    store = await open_store()
    watch = store.watch(0)
    await fill(store, 3)
    assert [(await anext(watch)).number for _ in range(3)] == [1, 2, 3]


async def test_store_watch_of_slow_reader_continues_with_kept_revisions(open_store: Open) -> None:
    store = await open_store(Retention(count=2))
    watch = store.watch(0)
    await fill(store, 5)
    assert [(await anext(watch)).number for _ in range(2)] == [4, 5]


@pytest.mark.parametrize("count, kept", [(1, [5]), (2, [5, 4]), (9, [5, 4, 3, 2, 1])])
async def test_store_with_retention_count_keeps_the_newest(open_store: Open, count: int, kept: list[int]) -> None:
    store = await open_store(Retention(count=count))
    await fill(store, 5)
    assert await numbers(store) == kept


async def test_revision_past_retention_age_is_dropped_at_the_next_append(open_store: Open) -> None:
    store = await open_store(Retention(age=timedelta(minutes=10)))
    for number, minutes in ((1, 0), (2, 5), (3, 10)):
        await store.append(revision(number, store=store, minutes=minutes), after=number - 1)
    assert await numbers(store) == [3, 2, 1]
    await store.append(revision(4, store=store, minutes=10.5), after=3)
    assert await numbers(store) == [4, 3, 2]
    await store.append(revision(5, store=store, minutes=600), after=4)
    assert await numbers(store) == [5]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_clock_step_does_not_change_the_order_of_revisions(open_store: Open, hours: int) -> None:
    store = await open_store(Retention(count=4))
    watch = store.watch(0)
    for number, minutes in ((1, 0), (2, 60 * hours), (3, 1), (4, 60 * hours + 1), (5, 2)):
        await store.append(revision(number, store=store, minutes=minutes), after=number - 1)
    assert await numbers(store) == [5, 4, 3, 2]
    assert [(await anext(watch)).number for _ in range(4)] == [2, 3, 4, 5]
    newest = await store.newest()
    assert newest is not None
    assert newest.number == 5


async def test_retention_by_age_after_a_clock_step_leaves_no_gap(open_store: Open) -> None:
    """Revision 2 seems older than the age, but one before it is not: the history stays in one piece."""
    store = await open_store(Retention(age=timedelta(minutes=10)))
    for number, minutes in ((1, 60), (2, 0), (3, 61)):
        await store.append(revision(number, store=store, minutes=minutes), after=number - 1)
    assert await numbers(store) == [3, 2, 1]


async def test_store_with_largest_retention_age_keeps_all(open_store: Open) -> None:
    store = await open_store(Retention(age=timedelta.max))
    await fill(store, 2)
    assert await numbers(store) == [2, 1]


async def test_store_remembers_the_applied_file(open_store: Open) -> None:
    store = await open_store()
    assert await store.applied_file() == b""
    first = revision(1, store=store, origin=FILE, files={"a": b"b"})
    await store.append(first, after=0)
    await store.append(revision(2, store=store, origin="api"), after=1)
    assert await store.applied_file() == fingerprint(first.config, first.files)
    await store.note_file(b"another")
    assert await store.applied_file() == b"another"


# ── In memory ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_store_in_memory_is_bounded_and_keeps_the_newest() -> None:
    store = RevisionsInMemory("abc", limit=2500)
    await fill(store, 9, files={"a": bytes(1000)})
    assert await numbers(store) == [9, 8]
    await store.append(replace(revision(10, store=store), files={"a": bytes(5000)}), after=9)
    assert await numbers(store) == [10]


@pytest.mark.parametrize("less, kept", [(0, [2, 1]), (1, [2])])
async def test_store_in_memory_counts_its_limit_to_the_byte(less: int, kept: list[int]) -> None:
    both = sum(each.config.ByteSize() for each in await fill(RevisionsInMemory("abc"), 2))
    store = RevisionsInMemory("abc", limit=both - less)
    await fill(store, 2)
    assert await numbers(store) == kept


@pytest.mark.parametrize("seed", range(20))
async def test_store_in_memory_keeps_as_many_revisions_as_fit_and_counts_a_shared_large_file_once(seed: int) -> None:
    chance = random.Random(seed)
    contents = Contents(large=400)
    pool = [contents.of(chance.randbytes(size)) for size in (0, 10, 399, 400, 900, 1500)]
    store = RevisionsInMemory("abc", limit=4000)
    given: list[Revision] = []
    for number in range(1, 41):
        files = {str(index): content for index, content in enumerate(chance.sample(pool, chance.randrange(4)))}
        given.append(revision(number, store=store, files=files))
        await store.append(given[-1], after=number - 1)
        assert await numbers(store) == fitting(given, 4000)


def fitting(revisions: list[Revision], limit: int) -> list[int]:
    """The numbers of the newest revisions whose contents fit, newest first; always the newest."""
    kept: list[int] = []
    size, counted = 0, set[Content]()
    for each in reversed(revisions):
        new = [content for content in each.files.values() if isinstance(content, bytes) or content not in counted]
        counted.update(content for content in new if isinstance(content, Large))
        size += each.config.ByteSize() + sum(map(len, new))
        if kept and size > limit:
            break
        kept.append(each.number)
    return kept


async def test_of_the_revisions_of_toxiproxys_api_the_last_100_are_kept(open_store: Open) -> None:
    store = await open_store(Retention())
    for number in range(1, 110):
        origin = API if number in {1, 50} else TOXIPROXY
        await store.append(revision(number, store=store, origin=origin), after=number - 1)
    assert sorted(await numbers(store)) == [1, *range(9, 110)]
    await store.append(revision(110, store=store, origin=API), after=109)
    assert len(await numbers(store)) == 103


def test_fingerprint_is_that_of_a_file_without_the_listeners_of_toxiproxys_api() -> None:
    changed = config("a")
    changed.listeners.add(name="proxy", address="127.0.0.1:0", toxiproxy='{"name": "proxy"}')
    assert fingerprint(changed, {}) == fingerprint(config("a"), {})
    assert len(changed.listeners) == 2


def test_fingerprint_covers_configuration_and_files() -> None:
    contents: list[dict[str, bytes]] = [{}, {"x": b""}, {"x": b"y"}, {"xy": b""}, {"x": b"", "y": b""}]
    prints = [fingerprint(config("b"), {}), *(fingerprint(config("a"), files) for files in contents)]
    assert len(set(prints)) == len(prints)
    assert fingerprint(config("a"), {"x": b"1", "y": b"2"}) == fingerprint(config("a"), {"y": b"2", "x": b"1"})
