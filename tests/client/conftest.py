"""A running server for a module, a scripted admin API, and both clients under one set of tests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import answerback
from answerback import aio
from tests.cli.conftest import Api, Cli, api, cli
from tests.system.conftest import RunningServer, await_listening, end, launch

__all__ = ("Api", "Cli", "api", "cli")

EMPTY = "listeners: []\n"
Enough = Callable[[list[Any]], bool]


class Blocking:
    """A client whose methods return."""

    def __init__(self, server: str, **given: Any) -> None:
        self.client = answerback.Client(server, **given)

    def do(self, calls: Callable[[Any], Any]) -> Any:
        """The result of a call."""
        return calls(self.client)

    def all(self, calls: Callable[[Any], Any], count: int = 1 << 30) -> list[Any]:
        """The first values of a stream."""
        return self.until(calls, lambda found: len(found) >= count)

    def until(self, calls: Callable[[Any], Any], enough: Enough) -> list[Any]:
        """The values of a stream until they are enough."""
        found: list[Any] = []
        with calls(self.client) as stream:
            for value in stream:
                found.append(value)
                if enough(found):
                    break
        return found

    def end(self) -> None:
        """Close the client."""
        self.client.close()


class Awaiting:
    """A client whose methods are awaited, in a loop of the test's own."""

    def __init__(self, server: str, **given: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self.client = aio.Client(server, **given)

    def do(self, calls: Callable[[Any], Awaitable[Any]]) -> Any:
        """The result of a call."""

        async def result() -> Any:
            return await calls(self.client)

        return self._loop.run_until_complete(result())

    def all(self, calls: Callable[[Any], Any], count: int = 1 << 30) -> list[Any]:
        """The first values of a stream."""
        return self.until(calls, lambda found: len(found) >= count)

    def until(self, calls: Callable[[Any], Any], enough: Enough) -> list[Any]:
        """The values of a stream until they are enough."""

        async def received() -> list[Any]:
            found: list[Any] = []
            async with calls(self.client) as stream:
                async for value in stream:
                    found.append(value)
                    if enough(found):
                        break
            return found

        return self._loop.run_until_complete(received())

    def end(self) -> None:
        """Close the client."""
        self._loop.run_until_complete(self.client.close())
        self._loop.close()


Face = Blocking | Awaiting
Connect = Callable[..., Face]


@pytest.fixture(params=[Blocking, Awaiting], ids=["blocking", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Make clients of one kind; they are closed after the test."""
    made: list[Face] = []

    def new(server: str, **given: Any) -> Face:
        made.append(request.param(server, **given))
        return made[-1]

    yield new
    for each in made:
        each.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    config = folder / "answerback.yaml"
    config.write_text(EMPTY)
    server = launch(config, folder / "log")
    try:
        await_listening(server)
        yield server
    finally:
        end(server)


@pytest.fixture
def client(running: RunningServer, connect: Connect) -> Face:
    """A client of the running server, which has no listeners at the beginning of the test."""
    face = connect(running.admin)
    face.do(lambda client: client.update_config(EMPTY))
    face.do(lambda client: client.resume())
    return face


@pytest.fixture
def scripted(api: Api, connect: Connect) -> Face:
    """A client of an API that answers as the test tells it."""
    return connect(f"127.0.0.1:{api.port}")


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "answerback.yaml"
