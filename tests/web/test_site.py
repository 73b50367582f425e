"""The pages show the status of the supervisor."""

import urllib.error
import urllib.request
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from answerback.language.problems import Problem
from answerback.metrics.series import Names, Series
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.supervisor.health import Health
from answerback.supervisor.status import FileStatus, LastChange, Status
from answerback.web import site
from answerback.web.server import Server
from tests.web.conftest import START

if TYPE_CHECKING:
    from answerback.supervisor import Supervisor


@dataclass
class FakeSupervisor:
    """As much of one as is shown."""

    shown: Status
    counters: SharedCounters = field(default_factory=lambda: SharedCounters.create(2))
    places: CounterLayout = field(default_factory=CounterLayout)
    health: Health = field(default_factory=Health)
    start_time: datetime = START

    def status(self, *, listeners: bool = True) -> Status:
        return self.shown if listeners else replace(self.shown, listeners=())

    @property
    def series(self) -> Series:
        series = Series(self.places, lambda _: 0)
        series.configured(Names(frozenset(self.places.listeners), frozenset(), frozenset(), frozenset()))
        return series


@pytest.fixture
def supervisor(status: Status) -> FakeSupervisor:
    refused = LastChange(datetime.fromtimestamp(1_700_000_000.5, UTC), "api")
    fake = FakeSupervisor(replace(status, last_rejected=refused))
    fake.places.listener("hello")
    fake.health.set("", ["hello"])
    return fake


@pytest.fixture
async def server(supervisor: FakeSupervisor) -> AsyncIterator[Server]:
    server = await site.serve(cast("Supervisor", supervisor), "127.0.0.1:0")
    yield server
    await server.close()


async def get(server: Server, path: str) -> str:
    def fetch() -> str:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    return await to_thread(fetch)


async def test_site_metrics_come_from_counters_and_status(server: Server, supervisor: FakeSupervisor) -> None:
    supervisor.counters.region(1)[supervisor.places.listeners["hello"]] += 5
    lines = (await get(server, "/metrics")).splitlines()
    assert 'answerback_connections_accepted_total{listener="hello"} 5.0' in lines
    assert "answerback_config_revision 7.0" in lines
    assert "answerback_config_last_applied_timestamp_seconds 1.767323045e+09" in lines
    assert "answerback_config_last_rejected_timestamp_seconds 1.7000000005e+09" in lines
    assert "answerback_workers 1.0" in lines
    assert 'answerback_worker_restarts_total{worker="1"} 3.0' in lines


async def test_metrics_timestamp_of_event_that_never_happened_is_0(server: Server, supervisor: FakeSupervisor) -> None:
    supervisor.shown = replace(supervisor.shown, last_applied=None, last_rejected=None)
    lines = (await get(server, "/metrics")).splitlines()
    assert "answerback_config_last_applied_timestamp_seconds 0.0" in lines
    assert "answerback_config_last_rejected_timestamp_seconds 0.0" in lines


async def test_site_probes_follow_the_health_of_the_supervisor(server: Server, supervisor: FakeSupervisor) -> None:
    assert await get(server, "/readyz") == "ok\n"
    supervisor.health.set("draining", ["hello"])
    with pytest.raises(urllib.error.HTTPError, match="503") as refusal:
        await get(server, "/readyz")
    with refusal.value as answer:
        assert answer.read() == b"draining\n"
    assert await get(server, "/healthz") == "ok\n"


async def test_readiness_reports_a_rejected_file_and_stays_ready(server: Server, supervisor: FakeSupervisor) -> None:
    file = FileStatus("answerback.yaml", watched=True, problems=[Problem("listeners[0].name", "is missing", 2, 3)])
    supervisor.shown = replace(supervisor.shown, file=file, rejected=1)
    text = "answerback.yaml was not applied: 2:3: listeners[0].name: is missing\n"
    assert await get(server, "/readyz") == f"ok\n{text}"
    assert await get(server, "/healthz") == "ok\n"
    lines = (await get(server, "/metrics")).splitlines()
    assert "answerback_config_file_rejected 1.0" in lines
    assert "answerback_ready 1.0" in lines
    assert "answerback_config_rejected_total 1.0" in lines
    assert text.strip() in await get(server, "/")


async def test_site_root_shows_the_status_of_the_supervisor(server: Server) -> None:
    assert "up since 2026-01-02 03:04:05 UTC" in await get(server, "/")
