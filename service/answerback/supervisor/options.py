"""The options of a supervisor."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from answerback.core.plan import Engine
from answerback.supervisor.revisions.store import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options."""

    config_path: Path | None = None
    """The configuration file; None for the built-in configuration."""
    config_text: bytes | None = None
    """The content of `config_path` if it is not a file: what came on standard input, read once."""
    watch_config: bool = False
    """Apply the file whenever its content changes."""
    workers: int = 1
    default_engine: Engine = Engine.CALLBACK
    """The engine of listeners that name none."""
    files: Path | None = None
    """The directory of files that configurations from the API may name."""
    retention: Retention = field(default_factory=Retention)
    """The bounds of the history."""
    drain_delay_seconds: float = 0.0
    """The seconds for which workers still accept after the signal to stop."""
    grace_seconds: float = 8.0
    """Maximum shutdown time, including the drain delay. Docker kills after 10 s."""
    reserved: tuple[tuple[str, str], ...] = ()
    """Our own ports, which no listener may use: their purpose and address."""
    worker_command: tuple[str, ...] = (sys.executable, "-m", "answerback.worker")
    variables: Path | None = None
    """The directory for the shared variables; None if there is no room for one."""
    log_format: str = "text"
    log_level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The supervisor's timeouts."""

    start_seconds: float = 10.0
    """From exec to the first heartbeat; takes some 0.1 on an idle machine."""
    answer_seconds: float = 5.0
    """For a worker to commit a change; preparing one may take four times as long."""
    silence_seconds: float = 5.0
    """A worker without heartbeat, which comes twice a second, for this long is stuck."""
    backoff_seconds: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
    """The delay before a worker is replaced: after its first death, its second, …, and all later ones."""
    cover_from_seconds: float = 1.0
    """If the delay is this long, another worker accepts in its place meanwhile."""
    crash_window_seconds: float = 60.0
    """The window of the crash-loop detection:"""
    crash_count: int = 5
    """this many deaths within the window mean that restarting does not help."""
