"""Every metric family: its name, type, labels and help, and how its samples are read.

docs/reference/metrics.md documents them for users; a test compares the two.
"""

from typing import Final

from answerback.core.actions import CloseReason
from answerback.metrics.samples import Family, Kind, build, cell, durations, each_worker, fact, matches, row, strikes
from answerback.shared import listener_counters

# Rule: base units; labels only from LABELS and those of build info, and never values that a peer chooses.
# Rule: every series that can be known exists from 0: the rate of a series that begins with 1 misses the first event.

PREFIX: Final = "answerback_"
LABELS: Final = ("listener", "rule", "reason", "direction", "fault", "worker", "errno")
CLOSE_REASONS: Final = tuple(reason.label for reason in CloseReason)
NONE: Final = ()
LISTENER: Final = ("listener",)
WORKER: Final = ("worker",)

FAMILIES: Final = (
    # ── connections ──
    Family(
        "connections_accepted_total",
        Kind.COUNTER,
        "Connections accepted.",
        LISTENER,
        cell(listener_counters.ACCEPTED),
    ),
    Family(
        "connections_open",
        Kind.GAUGE,
        "Connections open now, those that wait for the peer's FIN included.",
        LISTENER,
        cell(listener_counters.OPEN),
    ),
    Family(
        "connections_closed_total",
        Kind.COUNTER,
        "Connections closed, by reason.",
        ("listener", "reason"),
        row(listener_counters.CLOSED, CLOSE_REASONS),
    ),
    Family(
        "connections_rejected_total",
        Kind.COUNTER,
        "Connections turned away at once for a limit; they are not among the accepted.",
        ("listener", "reason"),
        row(listener_counters.REJECTED, listener_counters.REJECTIONS),
    ),
    Family(
        "connections_without_data_total",
        Kind.COUNTER,
        "Connections that the peer left without having sent a byte; they are among the closed. Those held by "
        "`accept: HOLD` are not looked at, and none of them is one.",
        LISTENER,
        cell(listener_counters.PROBES),
    ),
    Family(
        "accept_errors_total",
        Kind.COUNTER,
        "Failures of accept(2), by errno.",
        ("listener", "errno"),
        row(listener_counters.ACCEPT_FAILED, listener_counters.ACCEPT_ERRORS),
    ),
    Family(
        "session_errors_total",
        Kind.COUNTER,
        "Exceptions raised inside a session; each closed its own connection alone.",
        LISTENER,
        cell(listener_counters.SESSION_ERRORS),
    ),
    # ── requests ──
    Family(
        "requests_total",
        Kind.COUNTER,
        "Requests received, matched or not.",
        LISTENER,
        cell(listener_counters.REQUESTS),
    ),
    Family(
        "requests_unmatched_total",
        Kind.COUNTER,
        "Requests that no rule matched.",
        LISTENER,
        cell(listener_counters.UNMATCHED),
    ),
    Family(
        "requests_truncated_total",
        Kind.COUNTER,
        "Streams that ended in the middle of a request; what there was of it is not among the requests.",
        LISTENER,
        cell(listener_counters.TRUNCATED),
    ),
    Family(
        "rule_matches_total",
        Kind.COUNTER,
        "Events that the rule matched: requests, and for rules on CONNECT connections.",
        ("listener", "rule"),
        matches,
    ),
    Family(
        "request_duration_seconds",
        Kind.HISTOGRAM,
        "From a request's receipt until the last byte of its reply was handed to the kernel.",
        LISTENER,
        durations,
    ),
    Family(
        "injected_delay_seconds_total",
        Kind.COUNTER,
        "Time that rules and faults asked to wait.",
        LISTENER,
        cell(listener_counters.DELAY_NANOSECONDS, 1e-9),
    ),
    Family(
        "faults_applied_total",
        Kind.COUNTER,
        "Replies that the fault struck; for `slow_close`, closes.",
        ("listener", "fault"),
        strikes,
    ),
    # ── bytes ──
    Family(
        "received_bytes_total",
        Kind.COUNTER,
        "Bytes read from connections.",
        LISTENER,
        cell(listener_counters.RECEIVED_BYTES),
    ),
    Family(
        "sent_bytes_total",
        Kind.COUNTER,
        "Bytes that the kernel took to be sent.",
        LISTENER,
        cell(listener_counters.SENT_BYTES),
    ),
    # ── configuration ──
    Family(
        "config_revision",
        Kind.GAUGE,
        "The revision of the configuration in force.",
        NONE,
        fact(lambda facts: facts.revision),
    ),
    Family(
        "config_last_applied_timestamp_seconds",
        Kind.GAUGE,
        "When a configuration was last put in force, or applied and found active already, in Unix time; 0 for never.",
        NONE,
        fact(lambda facts: facts.last_applied),
    ),
    Family(
        "config_last_rejected_timestamp_seconds",
        Kind.GAUGE,
        "When a configuration was last refused, in Unix time; 0 for never.",
        NONE,
        fact(lambda facts: facts.last_refused),
    ),
    Family(
        "config_applied_total",
        Kind.COUNTER,
        "Configurations put in force, the one of the start included.",
        NONE,
        fact(lambda facts: facts.applied),
    ),
    Family(
        "config_rejected_total",
        Kind.COUNTER,
        "Configurations refused, or that workers could not take, wherever they came from.",
        NONE,
        fact(lambda facts: facts.refused),
    ),
    Family(
        "config_file_rejected",
        Kind.GAUGE,
        "1 while what the file of --config says is not in force because it was refused, else 0.",
        NONE,
        fact(lambda facts: facts.file_refused),
    ),
    # ── readiness and workers ──
    Family(
        "ready",
        Kind.GAUGE,
        "1 while it serves, as `/readyz` and the health service have it; 0 while it starts, drains or cannot.",
        NONE,
        fact(lambda facts: facts.ready),
    ),
    Family(
        "workers",
        Kind.GAUGE,
        "Workers that are up.",
        NONE,
        fact(lambda facts: sum(worker.running for worker in facts.workers)),
    ),
    Family(
        "worker_config_revision",
        Kind.GAUGE,
        "The revision that the worker serves new connections by; 0 while it serves none.",
        WORKER,
        each_worker(lambda worker: worker.revision),
    ),
    Family(
        "worker_restarts_total",
        Kind.COUNTER,
        "How often the worker has died and been replaced.",
        WORKER,
        each_worker(lambda worker: worker.restarts),
    ),
    Family(
        "worker_planned_restarts_total",
        Kind.COUNTER,
        "How often the worker has been replaced as planned, by RestartWorkers.",
        WORKER,
        each_worker(lambda worker: worker.planned_restarts),
    ),
    Family(
        "worker_startup_duration_seconds",
        Kind.GAUGE,
        "From the worker's exec to its first beat; 0 before it.",
        WORKER,
        each_worker(lambda worker: worker.start_seconds),
    ),
    Family(
        "worker_event_loop_lag_seconds",
        Kind.GAUGE,
        "By how much the latest beat of the worker's event loop came late.",
        WORKER,
        each_worker(lambda worker: worker.loop_lag_seconds),
    ),
    # ── the program ──
    Family(
        "build_info",
        Kind.GAUGE,
        "Always 1; what is running stands in the label.",
        ("version",),
        build,
    ),
)
