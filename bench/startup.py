"""The duration of a start: a worker from exec to its first heartbeat, and the command to its first answer."""

# Rule: the worker's time is Answerback's own account of it, read from its metrics; the command's is ours.

import http.client
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from bench.results import Start
from bench.server import CouldNotRun, Server
from bench.stats import spread

STARTS = 10
METRIC = "answerback_worker_startup_duration_seconds"
TIMEOUT_S = 10
POLL_S = 0.01

_SAMPLE = re.compile(rf"^{METRIC}\{{[^}}]*\}} ([\d.eE+-]+)", re.MULTILINE)


def parse_start(exposition: str) -> float | None:
    """Return the slowest worker's seconds from exec to first beat, or None while there is none."""
    return max((seconds for text in _SAMPLE.findall(exposition) if (seconds := float(text)) > 0), default=None)


def scrape(port: int, path: str = "/metrics") -> str:
    """Return what a page says; raises OSError or CouldNotRun."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise CouldNotRun(f"{path} answered {response.status}")
        return response.read().decode()
    finally:
        connection.close()


def first_beat(port: int) -> float:
    """Wait for a worker's start time to be exposed; raises CouldNotRun if it is not."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            if (seconds := parse_start(scrape(port))) is not None:
                return seconds
        except OSError:
            pass  # the page may come up after the listener
        if time.monotonic() > deadline:
            raise CouldNotRun(f"/metrics has no {METRIC} after {TIMEOUT_S} s")
        time.sleep(POLL_S)


def measure_start(start: Callable[[], AbstractContextManager[Server]], count: int) -> Start:
    """Start and end Answerback ``count`` times; raises CouldNotRun."""
    beats, answers = [], []
    for _ in range(count):
        began = time.monotonic()
        with start() as server:
            answers.append(time.monotonic() - began)
            beats.append(first_beat(server.metrics_port))
    return Start(spread(beats), spread(answers))
