"""The state of the server, from what is reported of its workers, listeners and drains."""

from collections.abc import Collection

import pytest

from answerback.supervisor.health import Health
from answerback.supervisor.readiness import Readiness
from answerback.supervisor.status import State


class Drained:
    """These listeners are drained."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def announced(self, name: str) -> bool:
        return name in self.names

    def everything(self, names: Collection[str]) -> bool:
        return bool(names) and set(names) <= set(self.names)


@pytest.fixture
def readiness() -> Readiness:
    return Readiness(Health())


def shown(readiness: Readiness) -> tuple[State, str]:
    """The state, and the reason of health."""
    return readiness.state, readiness._health.reason


def test_server_is_starting_until_its_first_configuration_is_active(readiness: Readiness) -> None:
    assert shown(readiness) == (State.STARTING, "starting")
    readiness.report_workers("")
    assert shown(readiness) == (State.STARTING, "starting")
    readiness.report_listeners(["a"], Drained())
    assert shown(readiness) == (State.SERVING, "")


def test_problem_of_the_workers_is_the_reason_until_it_is_over(readiness: Readiness) -> None:
    readiness.report_listeners(["a"], Drained())
    readiness.report_workers("worker 0 restarts")
    assert shown(readiness) == (State.NOT_SERVING, "worker 0 restarts")
    readiness.report_workers("")
    assert shown(readiness) == (State.SERVING, "")


def test_server_is_draining_when_all_its_listeners_are(readiness: Readiness) -> None:
    readiness.report_listeners(["a", "b"], Drained("a"))
    assert shown(readiness) == (State.SERVING, "")
    statuses = readiness._health.statuses
    assert (statuses["listener/a"], statuses["listener/b"]) == (False, True)
    readiness.report_listeners(["a", "b"], Drained("a", "b"))
    assert shown(readiness) == (State.DRAINING, "draining")
    readiness.report_listeners(["a", "b"], Drained())
    assert shown(readiness) == (State.SERVING, "")


@pytest.mark.parametrize("started", [False, True])
def test_server_that_stops_is_draining(readiness: Readiness, started: bool) -> None:
    if started:
        readiness.report_listeners(["a"], Drained())
    readiness.report_stop()
    assert shown(readiness) == (State.DRAINING, "shutting down")
