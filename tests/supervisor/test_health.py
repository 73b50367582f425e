"""Health statuses, and waiting for their changes."""

import asyncio

from answerback.supervisor.health import Health


def test_health_at_first_is_alive_and_not_ready() -> None:
    health = Health()
    assert dict(health.statuses) == {"": False, "readiness": False, "liveness": True}
    assert (health.reason_for("readiness"), health.reason_for("liveness")) == ("starting", None)


def test_health_of_a_serving_server_includes_its_listeners() -> None:
    health = Health()
    health.set("", ["a", "b"])
    assert dict(health.statuses) == dict.fromkeys(["", "readiness", "listener/a", "listener/b", "liveness"], True)
    assert health.reason_for("listener/a") is None
    assert health.reason_for("listener/c") == "listener/c is not known"


def test_not_serving_applies_to_all_services_except_liveness() -> None:
    health = Health()
    health.set("shutting down", ["a"])
    assert dict(health.statuses) == {"": False, "readiness": False, "listener/a": False, "liveness": True}
    assert health.reason_for("listener/a") == "shutting down"


async def test_health_watch_begins_with_the_present_state() -> None:
    health = Health()
    health.set("", ["a"])
    assert await anext(health.watch()) == health.statuses


async def test_health_watch_yields_only_changes() -> None:
    health = Health()
    first, second = health.watch(), health.watch()
    await anext(first)
    await anext(second)
    news = asyncio.gather(anext(first), anext(second))
    await asyncio.sleep(0)
    health.set("starting", [])
    await asyncio.sleep(0)
    assert not news.done()
    health.set("", [])
    assert list(await news) == [health.statuses] * 2


async def test_health_watch_of_busy_reader_yields_the_last_state() -> None:
    health = Health()
    watch = health.watch()
    await anext(watch)
    for reason in ("", "no worker is up", ""):
        health.set(reason, ["a"])
    assert (await anext(watch))["listener/a"]


async def test_cancelled_health_watch_leaves_the_others_waiting() -> None:
    health = Health()
    leaving, staying = health.watch(), health.watch()
    await anext(leaving)
    await anext(staying)
    gone, news = asyncio.ensure_future(anext(leaving)), asyncio.ensure_future(anext(staying))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    health.set("", [])
    assert (await news)[""]
