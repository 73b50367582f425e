"""Every metric family: its name, type, labels and help, and how its samples are read.

`make proto` writes the tables of docs/reference/metrics.md from this.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Final

from answerback.core.actions import CloseReason
from answerback.metrics.samples import (
    Family,
    Kind,
    build,
    dropped,
    durations,
    each_worker,
    entries,
    faults_applied,
    matches,
    per_listener,
    per_listener_and,
    runtime_value,
)
from answerback.shared import listener_counters

# Rule: base units; labels only from LABELS and those of build info, and never values that a peer chooses.
# Rule: every series that can be known exists from 0: the rate of a series that begins with 1 misses the first event.

PREFIX: Final = "answerback_"
LABELS: Final = ("listener", "rule", "reason", "direction", "fault", "worker", "errno")
CLOSE_REASONS: Final = tuple(reason.label for reason in CloseReason)
NONE: Final = ()
LISTENER: Final = ("listener",)
WORKER: Final = ("worker",)

SECTIONS: Final[Mapping[str, tuple[Family, ...]]] = {
    "Connections": (
        Family(
            "connections_accepted_total",
            Kind.COUNTER,
            "Connections accepted.",
            LISTENER,
            per_listener(listener_counters.ACCEPTED),
        ),
        Family(
            "connections_open",
            Kind.GAUGE,
            "Connections open now, including those that wait for the peer's FIN.",
            LISTENER,
            per_listener(listener_counters.OPEN),
        ),
        Family(
            "connections_closed_total",
            Kind.COUNTER,
            "Connections closed, by reason.",
            ("listener", "reason"),
            per_listener_and(listener_counters.CLOSED, CLOSE_REASONS),
        ),
        Family(
            "connections_rejected_total",
            Kind.COUNTER,
            "Connections closed at once because of a limit. Not included in connections_accepted_total.",
            ("listener", "reason"),
            per_listener_and(listener_counters.REJECTED, listener_counters.REJECTION_NAMES),
        ),
        Family(
            "connections_without_data_total",
            Kind.COUNTER,
            "Connections that the peer closed without sending a byte. Included in connections_closed_total. "
            "Connections held by `accept: HOLD` are not counted.",
            LISTENER,
            per_listener(listener_counters.PROBES),
        ),
        Family(
            "accept_errors_total",
            Kind.COUNTER,
            "Failures of accept(2), by errno.",
            ("listener", "errno"),
            per_listener_and(listener_counters.ACCEPT_FAILED, listener_counters.ACCEPT_ERROR_NAMES),
        ),
        Family(
            "session_errors_total",
            Kind.COUNTER,
            "Exceptions raised inside a session. Each one resets only its own connection.",
            LISTENER,
            per_listener(listener_counters.SESSION_ERRORS),
        ),
    ),
    "Requests": (
        Family(
            "requests_total",
            Kind.COUNTER,
            "Requests received, matched or not.",
            LISTENER,
            per_listener(listener_counters.REQUESTS),
        ),
        Family(
            "requests_unmatched_total",
            Kind.COUNTER,
            "Requests that no rule matched.",
            LISTENER,
            per_listener(listener_counters.UNMATCHED),
        ),
        Family(
            "requests_truncated_total",
            Kind.COUNTER,
            "Connections that the peer closed before a request was complete. Not included in requests_total.",
            LISTENER,
            per_listener(listener_counters.TRUNCATED),
        ),
        Family(
            "rule_matches_total",
            Kind.COUNTER,
            "Events that the rule matched, such as requests, or connections for rules on CONNECT.",
            ("listener", "rule"),
            matches,
        ),
        Family(
            "request_duration_seconds",
            Kind.HISTOGRAM,
            "Time from the receipt of a request until the last byte of its reply was handed to the kernel.",
            LISTENER,
            durations,
        ),
        Family(
            "injected_delay_seconds_total",
            Kind.COUNTER,
            "Total delay added by rules and faults.",
            LISTENER,
            per_listener(listener_counters.DELAY_NANOSECONDS, 1e-9),
        ),
        Family(
            "faults_applied_total",
            Kind.COUNTER,
            "Replies that the fault was applied to; for `slow_close`, closes.",
            ("listener", "fault"),
            faults_applied,
        ),
    ),
    "The journal": (
        Family(
            "journal_entries",
            Kind.GAUGE,
            "Requests that are in the journal. With journal_dropped_total they are all of requests_total.",
            LISTENER,
            entries,
        ),
        Family(
            "journal_dropped_total",
            Kind.COUNTER,
            "Requests that are not in the journal, or no longer, by reason.",
            ("listener", "reason"),
            dropped,
        ),
    ),
    "Bytes": (
        Family(
            "received_bytes_total",
            Kind.COUNTER,
            "Bytes read from connections.",
            LISTENER,
            per_listener(listener_counters.RECEIVED_BYTES),
        ),
        Family(
            "sent_bytes_total",
            Kind.COUNTER,
            "Bytes handed to the kernel for sending.",
            LISTENER,
            per_listener(listener_counters.SENT_BYTES),
        ),
    ),
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
FAMILIES: Final = tuple(chain.from_iterable(SECTIONS.values()))
