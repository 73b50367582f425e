"""The options of a supervisor."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from answerback.core.plan import Engine
from answerback.supervisor.revisions.store import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options; times are in seconds."""

    config_path: Path | None = None
    """The configuration's file; the built-in configuration without one."""
    watch_config: bool = False
    """Apply the file whenever its content has changed."""
    workers: int = 1
    default_engine: Engine = Engine.CALLBACK
    """Of listeners that name none."""
    files: Path | None = None
    """The folder of the files that a configuration given through the API may name."""
    retention: Retention = field(default_factory=Retention)
    """How much of the history is kept."""
    drain_delay: float = 0.0
    """How long to accept on when told to stop."""
    grace: float = 8.0
    """Within which everything has ended, the drain delay included. Docker kills after 10."""
    reserved: tuple[tuple[str, str], ...] = ()
    """Ports of our own that no listener may take: what they are for, and their address."""
    worker_command: tuple[str, ...] = (sys.executable, "-m", "answerback.worker")
    log_format: str = "text"
    log_level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The supervisor's timeouts, in seconds."""

    start: float = 10.0
    """From exec to the first beat; it takes some 0.1 on an idle machine."""
    answer: float = 5.0
    """For a worker to commit a change; it may take four times as long to prepare one."""
    silence: float = 5.0
    """Without a beat, which comes twice a second, a worker is taken for hung."""
    backoff: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
    """Before a worker is replaced: after its first death, its second, …, and all later ones."""
    adopt_from: float = 1.0
    """A wait of this length is too long for those who queue: a sibling accepts in its place."""
    memory: float = 60.0
    """Deaths are forgotten after this time,"""
    deaths: int = 5
    """and so many within it mean that restarting does not help."""
