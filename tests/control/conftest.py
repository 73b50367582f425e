"""The real gRPC server over a double of the supervisor, on loopback."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from grpc import aio

from answerback.control.address import parse
from answerback.control.server import AdminServer
from answerback.language.builtin import BUILT_IN
from answerback.language.problems import Problem
from answerback.supervisor import Change, Revision, Supervisor
from answerback.supervisor.health import Health
from answerback.supervisor.revisions.history import History
from answerback.supervisor.revisions.store import RevisionsInMemory

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REVISION = Revision(7, "abc-7", BUILT_IN, time=WHEN)
CHANGE = Change(Revision(8, "abc-8", BUILT_IN, time=WHEN), changed=True, workers=2)


@dataclass
class Double:
    """A supervisor that does as a test says."""

    health: Health = field(default_factory=Health)
    current: Revision = REVISION
    answer: Change | Exception = CHANGE
    problems: list[Problem] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    state: Any = None
    store: RevisionsInMemory = field(default_factory=lambda: RevisionsInMemory("abc"))
    operations: Any = None
    instance: str = "abc"
    journal: Any = None
    connections: Any = None
    start_time: datetime = WHEN

    def __post_init__(self) -> None:
        self.health.set("", ["hello"])
        self.history = History(self.store)

    async def update(self, config: Any, **asked: Any) -> Change:
        self.asked.append({"config": config, **asked})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def edit(self, edit: Any, **asked: Any) -> Change:
        config = edit.apply(self.current.config)
        answer = await self.update(config, **asked)
        return replace(answer, revision=replace(answer.revision, config=config))

    async def rollback(self, number: int, **asked: Any) -> Change:
        self.asked.append({"number": number, **asked})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def validate(self, config: Any) -> list[Problem]:
        self.asked.append({"config": config})
        return self.problems

    def status(self) -> Any:
        if isinstance(self.state, Exception):
            raise self.state
        return self.state


@pytest.fixture
def supervisor() -> Double:
    return Double()


@pytest.fixture
async def admin(supervisor: Double) -> AsyncIterator[AdminServer]:
    server = AdminServer(cast(Supervisor, supervisor), parse("127.0.0.1:0"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def channel(admin: AdminServer) -> AsyncIterator[aio.Channel]:
    async with aio.insecure_channel(admin.address) as channel:
        yield channel
