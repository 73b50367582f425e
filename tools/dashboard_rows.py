"""The rows of the dashboard, from top to bottom."""

from dataclasses import replace
from typing import Final

from tools.dashboard_queries import LISTENER, Panel, Row, gauge, growth, quantile, rate, stat

# Rule: every metric family stands on a panel: what is not worth a look is not worth a metric.

DURATIONS: Final = "request_duration_seconds_bucket"
CONNECTING: Final = "upstream_connect_duration_seconds_bucket"
NOW: Final = Row(
    "Now",
    (
        stat("Ready", gauge("ready", "instance", over="min"), "bool_yes_no"),
        stat("Revision", gauge("config_revision", "instance")),
        stat("Workers", gauge("workers", "instance")),
        stat("Open connections", gauge("connections_open", where=LISTENER, over="sum")),
        stat("Requests a second", rate("requests_total"), "reqps"),
        stat("Version", gauge("build_info", "version", over="count"), note="How many instances run it."),
    ),
)
TRAFFIC: Final = Row(
    "Traffic",
    (
        Panel("Connections accepted", [rate("connections_accepted_total", "listener")], "cps"),
        Panel(
            "Connections open",
            [
                gauge("connections_open", "listener", what="open", where=LISTENER, over="sum"),
                gauge("connections_awaiting_header", "listener", what="awaiting a header", where=LISTENER, over="sum"),
            ],
        ),
        Panel("Closes by reason", [rate("connections_closed_total", "reason")], "cps", stacked=True),
        Panel("Requests", [rate("requests_total", "listener")], "reqps"),
        Panel("Replies by rule", [rate("rule_matches_total", "listener", "rule")], "reqps", stacked=True),
        Panel(
            "Bytes",
            [
                rate("received_bytes_total", "listener", what="received"),
                rate("sent_bytes_total", "listener", what="sent"),
            ],
            "Bps",
        ),
    ),
)
LATENCY: Final = Row(
    "Latency: from receipt to the last byte in the kernel",
    (
        Panel("Heat map", [replace(rate(DURATIONS, "le"), heat=True)], "s", "heatmap", 16),
        Panel("Quantiles", [quantile(0.5), quantile(0.9), quantile(0.99)], "s"),
    ),
)
PURPOSE: Final = Row(
    "On purpose, and not answered",
    (
        Panel("Faults applied", [rate("faults_applied_total", "listener", "fault")], "ops"),
        Panel(
            "Frames that a rule did not expect",
            [rate("rule_unexpected_frames_total", "listener", "rule")],
            "ops",
            note="Each closes its connection.",
        ),
        Panel("Injected delay", [rate("injected_delay_seconds_total", "listener")], "s", note="Asked for, a second."),
        Panel(
            "Not answered",
            [
                rate("requests_unmatched_total", "listener", what="unmatched"),
                rate("requests_truncated_total", "listener", what="truncated"),
                rate("connections_without_data_total", "listener", what="said nothing"),
            ],
            "reqps",
        ),
    ),
)
JOURNAL: Final = Row(
    "The journal",
    (
        Panel("Requests in the journal", [gauge("journal_entries", "listener", where=LISTENER, over="sum")], width=12),
        Panel(
            "Requests that left it, or were not recorded",
            [rate("journal_dropped_total", "listener", "reason")],
            "reqps",
            width=12,
            stacked=True,
        ),
    ),
)
TLS: Final = Row(
    "TLS, and counts for each peer",
    (
        Panel("TLS handshakes", [rate("tls_handshakes_total", "listener", "outcome")], "cps", stacked=True),
        Panel(
            "Certificates that had changed",
            [
                growth("certificates_loaded_total", "instance", what="loaded"),
                growth("certificates_rejected_total", "instance", what="rejected"),
            ],
        ),
        Panel(
            "Counts for each peer that were evicted",
            [rate("peer_counts_evicted_total", "listener")],
            "ops",
            note="For their peers, the count starts again at 0.",
        ),
    ),
)
UPSTREAMS: Final = Row(
    "Upstreams",
    (
        Panel(
            "Connections to upstreams",
            [
                rate("upstream_connections_total", "listener", what="made"),
                rate("upstream_connect_errors_total", "listener", "errno"),
            ],
            "cps",
        ),
        Panel("Time to connect", [quantile(0.5, CONNECTING), quantile(0.99, CONNECTING)], "s"),
        Panel(
            "TLS handshakes with upstreams",
            [rate("upstream_tls_handshakes_total", "listener", "outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "Bytes of upstreams",
            [
                rate("upstream_received_bytes_total", "listener", what="received"),
                rate("upstream_sent_bytes_total", "listener", what="sent"),
            ],
            "Bps",
        ),
    ),
)
TROUBLE: Final = Row(
    "Trouble",
    (
        Panel("Accept errors", [rate("accept_errors_total", "listener", "errno")], "ops"),
        Panel("Turned away for a limit", [rate("connections_rejected_total", "listener", "reason")], "cps"),
        Panel("Exceptions in sessions", [rate("session_errors_total", "listener")], "ops"),
    ),
)
WORKERS: Final = Row(
    "Workers and configuration",
    (
        Panel("Event loop lag", [gauge("worker_event_loop_lag_seconds", "instance", "worker")], "s"),
        Panel(
            "Restarts",
            [
                growth("worker_restarts_total", "instance", "worker"),
                growth("worker_planned_restarts_total", "instance", "worker"),
            ],
        ),
        Panel("Start, exec to first beat", [gauge("worker_startup_duration_seconds", "instance", "worker")], "s"),
        Panel(
            "Active revision, and revision of each worker",
            [gauge("config_revision", "instance"), gauge("worker_config_revision", "instance", "worker")],
            "none",
        ),
        Panel(
            "Configurations applied and refused",
            [
                growth("config_applied_total", "instance", what="applied"),
                growth("config_rejected_total", "instance", what="refused"),
                gauge("config_file_rejected", "instance", what="file is refused"),
            ],
        ),
    ),
)
ROWS: Final = (NOW, TRAFFIC, LATENCY, PURPOSE, TLS, UPSTREAMS, JOURNAL, TROUBLE, WORKERS)
