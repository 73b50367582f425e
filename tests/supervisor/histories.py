"""Revisions for stores."""

from datetime import UTC, datetime, timedelta
from typing import Any

from answerback.supervisor.revisions.store import Revision, RevisionStore
from answerback.v1 import config_pb2 as v1

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def config(name: str) -> v1.Config:
    return v1.Config(listeners=[v1.Listener(name=name, address="127.0.0.1:0")])


def revision(number: int, *, store: RevisionStore, minutes: float = 0, **more: Any) -> Revision:
    """A revision for a store, made a number of minutes past noon."""
    given: dict[str, Any] = {"config": config(f"of-{number}"), "time": NOON + timedelta(minutes=minutes)} | more
    return Revision(number, store.etag(number), **given)


async def fill(store: RevisionStore, count: int, **more: Any) -> list[Revision]:
    """Append this number of revisions to an empty store."""
    made = [revision(number, store=store, **more) for number in range(1, count + 1)]
    for one in made:
        await store.append(one, after=one.number - 1)
    return made


async def numbers(store: RevisionStore) -> list[int]:
    """All that are kept, the newest first."""
    return [entry.number for entry in await store.page(1 << 62, 1 << 30)]
