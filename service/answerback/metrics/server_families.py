"""The metric families of the server as a whole, and of its workers."""

from collections.abc import Mapping
from typing import Final

from answerback.metrics.samples import Family, Kind, build, each_worker, runtime_value

NONE: Final = ()
WORKER: Final = ("worker",)

SECTIONS: Final[Mapping[str, tuple[Family, ...]]] = {
    "Configuration": (
        Family(
            "config_revision",
            Kind.GAUGE,
            "The active configuration revision.",
            NONE,
            runtime_value(lambda runtime: runtime.revision),
        ),
        Family(
            "config_last_applied_timestamp_seconds",
            Kind.GAUGE,
            "Unix time of the last successfully applied configuration, changed or identical; 0 if none.",
            NONE,
            runtime_value(lambda runtime: runtime.last_applied),
        ),
        Family(
            "config_last_rejected_timestamp_seconds",
            Kind.GAUGE,
            "Unix time of the last rejected configuration; 0 if none.",
            NONE,
            runtime_value(lambda runtime: runtime.last_rejected),
        ),
        Family(
            "config_applied_total",
            Kind.COUNTER,
            "Configurations that became active, including the one at startup.",
            NONE,
            runtime_value(lambda runtime: runtime.applied),
        ),
        Family(
            "config_rejected_total",
            Kind.COUNTER,
            "Configurations that were rejected or could not be applied, from any source.",
            NONE,
            runtime_value(lambda runtime: runtime.rejected),
        ),
        Family(
            "config_file_rejected",
            Kind.GAUGE,
            "1 while the current content of the --config file is rejected, else 0.",
            NONE,
            runtime_value(lambda runtime: runtime.file_rejected),
        ),
    ),
    "Workers": (
        Family(
            "ready",
            Kind.GAUGE,
            "1 if the server is ready, as on `/readyz`; 0 while it starts, drains or cannot serve.",
            NONE,
            runtime_value(lambda runtime: runtime.ready),
        ),
        Family(
            "workers",
            Kind.GAUGE,
            "Running workers.",
            NONE,
            runtime_value(lambda runtime: sum(worker.running for worker in runtime.workers)),
        ),
        Family(
            "worker_config_revision",
            Kind.GAUGE,
            "The revision that the worker uses for new connections; 0 before the first.",
            WORKER,
            each_worker(lambda worker: worker.revision),
        ),
        Family(
            "worker_restarts_total",
            Kind.COUNTER,
            "Times that the worker died and was replaced.",
            WORKER,
            each_worker(lambda worker: worker.restarts),
        ),
        Family(
            "worker_planned_restarts_total",
            Kind.COUNTER,
            "Times that the worker was replaced by a rolling restart.",
            WORKER,
            each_worker(lambda worker: worker.planned_restarts),
        ),
        Family(
            "worker_startup_duration_seconds",
            Kind.GAUGE,
            "Time from the worker's exec to its first heartbeat; 0 before it.",
            WORKER,
            each_worker(lambda worker: worker.start_seconds),
        ),
        Family(
            "worker_event_loop_lag_seconds",
            Kind.GAUGE,
            "Delay of the latest heartbeat of the worker's event loop.",
            WORKER,
            each_worker(lambda worker: worker.loop_lag_seconds),
        ),
    ),
    "The program": (
        Family(
            "build_info",
            Kind.GAUGE,
            "Always 1; the label has the version.",
            ("version",),
            build,
        ),
    ),
}
