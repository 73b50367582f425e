"""Every example is what it says it is: its talk, on both engines, with one worker and with two."""

import re
from pathlib import Path

import pytest

from answerback.config import dump
from answerback.config.document import load
from answerback.v1 import config_pb2 as v1
from tests.system.conftest import Start
from tests.system.talks import Talk

EXAMPLES = Path(__file__).parents[2] / "examples"
TALKS = sorted(EXAMPLES.glob("*.talk"))


def test_each_example_has_a_talk() -> None:
    assert TALKS
    assert [talk.stem for talk in TALKS] == sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def all_of_them() -> tuple[v1.Config, dict[str, str]]:
    """The listeners of all examples, on ports that are free, and the name of each example's first one."""
    together, first = v1.Config(), {}
    for talk in TALKS:
        document = load(talk.with_suffix(".yaml").read_text())
        assert not document.problems
        first[talk.stem] = document.config.listeners[0].name
        together.MergeFrom(document.config)
    for listener in together.listeners:
        listener.address = re.sub(r":\d+$", ":0", listener.address)
    return together, first


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_the_talks_go_as_written(responder: Start, engine: str, workers: str) -> None:
    config, first = all_of_them()
    running = responder(dump(config), "--engine", engine, "--workers", workers)
    for talk in TALKS:
        Talk(running.where(first[talk.stem])).play(talk)
