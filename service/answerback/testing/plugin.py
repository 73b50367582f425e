"""The plugin of pytest: the fixtures `answerback` and `answerback_async`."""

# Rule: pytest loads this in every run, so it costs nothing until a fixture is used.

from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Final

import pytest

from answerback.testing import Answerback, AsyncAnswerback, Server

EXIT_SECONDS: Final = 0.1  # a connection may end before the server's process has
USED: Final = pytest.StashKey[Answerback]()
LOG_BEFORE: Final = pytest.StashKey[int]()


class _Servers:
    """The server of this process; another one if it has ended."""

    def __init__(self) -> None:
        self._server: Server | None = None

    def get(self) -> Server:
        """Return it, started. Raises ServerDied."""
        if self._server is not None and not self._server.running:
            self.stop()
        if self._server is None:
            self._server = Server()
        return self._server

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.stop()
        self._server = None


@pytest.fixture(scope="session")
def _answerback_servers() -> Iterator[_Servers]:
    servers = _Servers()
    yield servers
    servers.stop()


@pytest.fixture
def answerback(request: pytest.FixtureRequest, _answerback_servers: _Servers) -> Iterator[Answerback]:
    """Servers that answer as the test tells them: `answerback.listen(rules=[…])`. They end with the test.

    So do shared variables, signals that are kept, and the journal, behind the report of a test that fails.
    """
    used = Answerback(_answerback_servers.get())
    request.node.stash[USED] = used
    request.node.stash[LOG_BEFORE] = len(used.server.log)
    yield used
    used.close()
    used.server.clear()


@pytest.fixture
def answerback_async(answerback: Answerback) -> AsyncAnswerback:
    """The fixture `answerback`, with methods to await: `await answerback_async.listen(rules=[…])`."""
    return AsyncAnswerback(answerback)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test whose server has ended, with the server's last words, whatever the test itself says."""
    try:
        yield
    except (Exception, pytest.fail.Exception):
        _check(item, EXIT_SECONDS)  # the error of the test itself is shown as the context of this one
        raise
    _check(item)


def _check(item: pytest.Item, patience: float = 0.0) -> None:
    if USED in item.stash:
        item.stash[USED].server.check(patience)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the conversation of a test that failed, and what the server has logged during it."""
    report = yield
    if report.failed and USED in item.stash:
        used = item.stash[USED]
        with suppress(Exception):  # the server may have ended, and the report is of the test
            if report.when == "call" and (said := used.conversation()):
                report.sections.append(("Answerback conversation", said))
        log = used.server.log[item.stash[LOG_BEFORE] :]
        if log:
            report.sections.append(("Answerback server log", log))
    return report
