"""The metric families of listeners, and of the certificates that they use."""

from collections.abc import Mapping
from typing import Final

from answerback.core.actions import CloseReason
from answerback.core.tls import Handshakes
from answerback.metrics.samples import (
    Family,
    Kind,
    connect_durations,
    dropped,
    durations,
    entries,
    faults_applied,
    matches,
    of_relays,
    per_listener,
    per_listener_and,
    runtime_value,
    unexpected_frames,
)
from answerback.shared import listener_counters

CLOSE_REASONS: Final = tuple(reason.label for reason in CloseReason)
HANDSHAKES: Final = tuple(outcome.label for outcome in Handshakes)
NONE: Final = ()
LISTENER: Final = ("listener",)

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
            "Connections open now, including those that wait for the peer's FIN, or for a PROXY header.",
            LISTENER,
            per_listener(listener_counters.OPEN),
        ),
        Family(
            "connections_awaiting_header",
            Kind.GAUGE,
            "Connections whose PROXY header has not arrived. Included in connections_open, and in "
            "connections_accepted_total once the header has arrived.",
            LISTENER,
            per_listener(listener_counters.AWAITING_HEADER),
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
    "TLS": (
        Family(
            "tls_handshakes_total",
            Kind.COUNTER,
            "TLS handshakes that have ended: complete, by version and whether a session was resumed, or failed.",
            ("listener", "outcome"),
            per_listener_and(listener_counters.HANDSHAKES, HANDSHAKES),
        ),
        Family(
            "certificates_loaded_total",
            Kind.COUNTER,
            "Times that the certificates of a listener had changed and were loaded again.",
            NONE,
            runtime_value(lambda runtime: runtime.certificates_loaded),
        ),
        Family(
            "certificates_rejected_total",
            Kind.COUNTER,
            "Times that changed files of certificates could not be used. The certificates before are still used.",
            NONE,
            runtime_value(lambda runtime: runtime.certificates_rejected),
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
            "rule_unexpected_frames_total",
            Kind.COUNTER,
            "Frames that a `receive` of the rule read and that were not what its `expect` says. "
            "Each one closes its connection, with the reason `unexpected`.",
            ("listener", "rule"),
            unexpected_frames,
        ),
        Family(
            "request_duration_seconds",
            Kind.HISTOGRAM,
            "Time from the receipt of a request until the last byte of its reply was handed to the kernel. "
            "For a request that is forwarded without `upstream.framing`, until it was handed on.",
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
            "Replies that the fault was applied to; for `slow_close`, closes; with an upstream, reads.",
            ("listener", "fault"),
            faults_applied,
        ),
        Family(
            "peer_counts_evicted_total",
            Kind.COUNTER,
            "Counts with `scope: PEER` that were forgotten to make room for one of this listener. For their peers, the "
            "count starts again at 0.",
            LISTENER,
            per_listener(listener_counters.PEERS_EVICTED),
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
    "Upstreams": (
        Family(
            "upstream_connections_total",
            Kind.COUNTER,
            "Connections made to the upstream.",
            LISTENER,
            of_relays(per_listener(listener_counters.UPSTREAM_CONNECTED)),
        ),
        Family(
            "upstream_connect_errors_total",
            Kind.COUNTER,
            "Clients that were reset because the upstream could not be reached, by errno of the last attempt.",
            ("listener", "errno"),
            of_relays(per_listener_and(listener_counters.UPSTREAM_FAILED, listener_counters.UPSTREAM_ERROR_NAMES)),
        ),
        Family(
            "upstream_connect_duration_seconds",
            Kind.HISTOGRAM,
            "Time from accept until the connection to the upstream was made, with the time to resolve its name.",
            LISTENER,
            connect_durations,
        ),
        Family(
            "upstream_tls_handshakes_total",
            Kind.COUNTER,
            "TLS handshakes with the upstream that have ended: complete, by version and whether a session was resumed, "
            "or failed. One that takes longer than `connect_timeout` is only an error of connecting.",
            ("listener", "outcome"),
            of_relays(per_listener_and(listener_counters.UPSTREAM_HANDSHAKES, HANDSHAKES)),
        ),
        Family(
            "upstream_received_bytes_total",
            Kind.COUNTER,
            "Bytes read from the upstream.",
            LISTENER,
            of_relays(per_listener(listener_counters.UPSTREAM_RECEIVED_BYTES)),
        ),
        Family(
            "upstream_sent_bytes_total",
            Kind.COUNTER,
            "Bytes handed to the kernel for the upstream.",
            LISTENER,
            of_relays(per_listener(listener_counters.UPSTREAM_SENT_BYTES)),
        ),
    ),
}
