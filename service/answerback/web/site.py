"""Connects the HTTP server to a supervisor: its health, its page, its metrics."""

from collections.abc import Callable

from answerback import __version__
from answerback.metrics.exposition import Exposition
from answerback.metrics.snapshot import Runtime
from answerback.supervisor import Supervisor
from answerback.supervisor.status import LastChange, State, Status
from answerback.web import server
from answerback.web.page import page


async def serve(supervisor: Supervisor, address: str) -> server.Server:
    """Serve metrics, probes and the page of a supervisor, started or not. Raises StartError if it cannot listen."""

    def runtime_now() -> Runtime:
        return runtime(supervisor.status(listeners=False))

    exposition = Exposition(supervisor.counters, supervisor.series.shown, runtime_now)

    def render(kind: str, abandoned: Callable[[], bool]) -> tuple[bytes, str]:
        if kind == server.PAGE:
            return page(supervisor.status(), supervisor.start_time).encode(), "text/html; charset=utf-8"
        return exposition.render(openmetrics_format=kind == server.OPEN_METRICS, abandoned=abandoned)

    return await server.start(
        address,
        health=supervisor.health.reason_for,
        note=lambda: note(supervisor.status(listeners=False)),
        render=render,
    )


def note(status: Status) -> str:
    """Return a warning about a server that is ready; empty if there is none."""
    return status.file.rejection if status.file else ""


def runtime(status: Status) -> Runtime:
    """Return the values for the metrics from a supervisor's status."""
    return Runtime(
        version=__version__,
        revision=status.revision,
        last_applied=_time(status.last_applied),
        last_rejected=_time(status.last_rejected),
        workers=status.workers,
        applied=status.applied,
        rejected=status.rejected,
        file_rejected=bool(status.file and status.file.problems),
        ready=status.state is State.SERVING,
        certificates_loaded=status.certificates_loaded,
        certificates_rejected=status.certificates_rejected,
    )


def _time(change: LastChange | None) -> float:
    return change.time.timestamp() if change is not None else 0.0
