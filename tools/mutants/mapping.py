"""The tests that belong to a module: those most likely to notice a mutation first.

1. its mirror (core/framing/line.py: tests/core/framing/test_line.py), and what MORE names for it
2. all other quick tests of its room
3. those marked `long` which belong to it: its mirror's, and what LONG names
"""

# Rule: a mutant that survives costs a run of all its tests, so no list here is longer than it has to be.

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

QUICK: Final = "not long and not programs and not container and not survival"
LONG_ONLY: Final = "long and not programs and not container and not survival"

ROOMS: Final = {
    "core": ("tests/core",),
    "net": ("tests/net", "tests/worker"),
    "supervisor": ("tests/supervisor",),
    "concurrency": ("tests/concurrency",),
    "document": ("tests/document",),
    "importing": ("tests/importing",),
    "language": ("tests/language",),
    "metrics": ("tests/metrics",),
    "recording": ("tests/recording",),
    "shared": ("tests/shared",),
    "tls": ("tests/tls", "tests/net/test_tls.py"),
}
MORE: Final = {
    "core/session/*.py": (
        "tests/core/session/test_session.py",
        "tests/core/session/test_recording.py",
        "tests/core/test_expectation.py",
        "tests/core/test_conversations.py",
        "tests/core/test_model.py",
    ),
    "core/session/replies.py": ("tests/explain/test_simulate.py",),  # it asks for what is left to do by itself
    "core/session/tls_*.py": ("tests/tls/test_tls_layer.py", "tests/tls/test_start_tls.py"),
    "core/selection.py": ("tests/core/test_plan.py", "tests/core/test_reply_memory.py"),
    "core/plan.py": ("tests/core/session/test_session.py",),
    "core/expressions/*.py": (
        "tests/language/expressions/test_page.py",
        "tests/language/expressions/test_compiler.py",
        "tests/language/expressions/test_bounds.py",
        "tests/language/expressions/test_laws.py",
        "tests/language/matching/test_expr.py",
    ),
    "core/faults/*.py": ("tests/core/faults/test_applies_to.py",),
    "core/steps/*.py": ("tests/core/session/test_session.py",),
    "core/matching/*.py": ("tests/core/matching/test_mismatch.py",),
    "core/framing/automaton.py": ("tests/core/framing/test_pattern.py",),
    "core/framing/lengths.py": ("tests/core/framing/test_length_prefix.py",),
    "core/framing/*fields.py": ("tests/language/framing/test_fields.py",),
    "core/framing/http*.py": ("tests/core/framing/test_http.py", "tests/core/framing/test_http_head_first.py"),
    "net/c*.py": ("tests/net/test_connection.py", "tests/net/test_conformance.py", "tests/net/test_live_changes.py"),
    "net/drain.py": ("tests/net/test_first_request.py", "tests/net/test_live_changes.py"),
    "net/mismatch_log.py": ("tests/net/test_conformance.py",),
    "net/listener*.py": (
        "tests/net/test_conformance.py",
        "tests/net/test_live_changes.py",
        "tests/net/test_held_connection.py",
    ),
    "net/acceptor.py": ("tests/net/test_conformance.py",),
    "net/deadlines.py": ("tests/net/test_timers.py",),
    "document/*.py": ("tests/document/test_document.py", "tests/document/test_values.py"),
    "importing/*.py": ("tests/importing/test_toxiproxy.py",),
    "importing/mountebank/*.py": ("tests/importing/mountebank/test_imposters.py",),
    "language/steps/*.py": ("tests/language/test_check_rules.py", "tests/language/test_compile_rules.py"),
    "language/check*.py": ("tests/language/test_check.py", "tests/language/test_check_rules.py"),
    "language/expressions/*.py": (
        "tests/language/expressions/test_page.py",
        "tests/language/expressions/test_compiler.py",
        "tests/language/expressions/test_bounds.py",
    ),
    "metrics/*.py": ("tests/metrics/test_exposition.py", "tests/metrics/test_each_family.py"),
    "recording/*.py": ("tests/recording/test_outcome.py",),
    "shared/journal/*.py": ("tests/shared/test_journal.py",),
    "shared/counters.py": ("tests/shared/test_counters.py", "tests/shared/test_listener_counters.py"),
    "tls/*.py": ("tests/tls/test_tls_layer.py",),
    "tls/pairs.py": ("tests/language/test_tls_files.py", "tests/control/test_certificates.py"),
    "recording/splitting.py": ("tests/recording/test_framings.py",),
    "supervisor/journal/*.py": ("tests/system/test_journal.py",),
    "supervisor/workers/pool.py": (
        "tests/supervisor/test_quick_worker_pool.py",
        "tests/supervisor/test_quick_restarts.py",
        "tests/supervisor/test_supervisor.py",
    ),
    "supervisor/workers/slot.py": ("tests/supervisor/test_quick_worker_pool.py",),
    "supervisor/workers/process.py": ("tests/supervisor/test_quick_worker_pool.py",),
    "supervisor/rollout/rollout.py": (
        "tests/supervisor/test_supervisor.py",
        "tests/supervisor/test_quick_worker_pool.py",
    ),
    "supervisor/rollout/two_phase.py": ("tests/supervisor/test_supervisor.py", "tests/supervisor/test_rollback.py"),
    "supervisor/operations/draining.py": ("tests/supervisor/test_quick_drains.py",),
    "supervisor/operations/rolling_restart.py": ("tests/supervisor/test_quick_restarts.py",),
    "supervisor/sockets/listen_state.py": (
        "tests/supervisor/sockets/test_listening.py",
        "tests/supervisor/test_quick_accept_modes.py",
    ),
    "supervisor/sockets/backlog_filler.py": ("tests/supervisor/test_quick_accept_modes.py",),
}
"""Quick tests that run first, beside the mirror."""
LONG: Final = {
    "supervisor/sockets/backlog_filler.py": ("tests/supervisor/sockets/test_listen_state.py",),
    "supervisor/workers/slot.py": ("tests/supervisor/workers/test_pool.py",),
    "supervisor/workers/process.py": (
        "tests/supervisor/workers/test_pool.py",
        "tests/supervisor/operations/test_shutdown.py",
    ),
    "supervisor/supervisor.py": (
        "tests/supervisor/operations/test_shutdown.py",
        "tests/supervisor/workers/test_pool.py",
    ),
    "supervisor/rollout/rollout.py": (
        "tests/supervisor/rollout/test_two_phase.py",
        "tests/supervisor/workers/test_pool.py",
    ),
    "supervisor/rollout/drained.py": ("tests/supervisor/operations/test_draining.py",),
    "supervisor/status.py": ("tests/supervisor/operations/test_draining.py",),
}
"""Tests marked `long` that run last, beside the mirror's."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One run of pytest: paths, those among them that are not run (again), and the expression of marks."""

    paths: tuple[str, ...]
    without: tuple[str, ...] = ()
    marks: str = QUICK

    def arguments(self) -> list[str]:
        """For pytest."""
        return [*self.paths, *(f"--ignore={path}" for path in self.without), "-m", self.marks]


def phases(module: str, root: Path) -> tuple[Phase, ...]:
    """The runs that a mutant of a module (a path below the package) has to survive, in their order."""
    at = Path(module)
    mirror = str("tests" / at.with_name(f"test_{at.stem}.py"))
    mirrored = (mirror,) if (root / mirror).is_file() else ()
    first = tuple(dict.fromkeys([*mirrored, *_named(MORE, module)]))
    last = tuple(dict.fromkeys([*mirrored, *_named(LONG, module)]))
    found = [Phase(first)] if first else []
    found.append(Phase(ROOMS[at.parts[0]], first))
    if last and at.parts[0] == "supervisor":
        found.append(Phase(last, marks=LONG_ONLY))
    return tuple(found)


def _named(table: dict[str, tuple[str, ...]], module: str) -> list[str]:
    return [path for pattern, paths in table.items() if fnmatch(module, pattern) for path in paths]
