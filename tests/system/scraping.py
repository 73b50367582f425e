"""The metrics of a server over HTTP, as Prometheus reads them; and a server shared by a module of tests."""

import json
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.system.conftest import RunningServer, await_listening, end, launch
from tests.waiting import eventually

PREFIX = "answerback_"


class Metrics:
    """One scrape."""

    def __init__(self, exposition: str) -> None:
        self._samples = [sample for family in parse(exposition) for sample in family.samples]
        self._values = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in self._samples}

    @classmethod
    def scrape(cls, address: str) -> Self:
        """From the HTTP server at `HOST:PORT`."""
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            return cls(answer.read().decode())

    def value(self, name: str, **labels: str) -> float:
        """Of the series with exactly these labels."""
        return self._values[PREFIX + name, frozenset(labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """Over all series with these labels, whatever others they have."""
        wanted = labels.items()
        return sum(s.value for s in self._samples if s.name == PREFIX + name and wanted <= s.labels.items())

    def balanced(self, listener: str) -> bool:
        """Whether accepted = closed + open."""
        accepted = self.value("connections_accepted_total", listener=listener)
        closed = self.total("connections_closed_total", listener=listener)
        return accepted == closed + self.value("connections_open", listener=listener)

    def differences(self, expected: Iterable[tuple[str, dict[str, str], float]]) -> list[str]:
        """What is not as expected, a line for each series."""
        return [
            f"{name}{labels}: {found} is not {value}"
            for name, labels, value in expected
            if abs((found := self.value(name, **labels)) - value) > 1e-6
        ]


def settled(address: str, listener: str, *, open_: int = 0, accepted: int = 0) -> Metrics:
    """The metrics once `open_` connections are open, and at least `accepted` were accepted."""

    def as_expected() -> bool:
        metrics = Metrics.scrape(address)
        came = metrics.value("connections_accepted_total", listener=listener)
        return came >= accepted and metrics.value("connections_open", listener=listener) == open_

    eventually(as_expected, what=f"{listener}: {open_} connections open, at least {accepted} accepted")
    return Metrics.scrape(address)  # again: that scrape may have read other counts just before the last transition


def worker_pids(running: RunningServer) -> list[int]:
    """The processes that serve, by slot."""
    status = running.cli("status", "-o", "json")
    assert status.returncode == 0, status.stderr
    return [worker["pid"] for worker in json.loads(status.stdout)["workers"]]


@contextmanager
def serving(folder: Path, config: str, *args: str) -> Iterator[RunningServer]:
    """A server for several tests: starting one takes longer than most of them."""
    file = folder / "answerback.yaml"
    file.write_text(config)
    running = launch(file, folder / "answerback.log", *args)
    try:
        await_listening(running)
        yield running
    finally:
        end(running)
