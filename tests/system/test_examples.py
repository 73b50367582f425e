"""Every example is what it says it is: its talk, on both engines, with one worker and with two."""

import re
from pathlib import Path

import pytest

from tests.system.conftest import Start
from tests.system.talks import Talk

EXAMPLES = Path(__file__).parents[2] / "examples"
TALKS = sorted(EXAMPLES.glob("*.talk"))


def test_each_example_has_a_talk() -> None:
    assert [talk.stem for talk in TALKS] == sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("engine", ["callback", "coroutine"])
@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.stem)
def test_a_talk_goes_as_written(responder: Start, talk: Path, engine: str, workers: str) -> None:
    written = talk.with_suffix(".yaml").read_text()
    config = re.sub(r"(address:\s*[0-9.]+):\d+", r"\1:0", written)  # on ports that are free
    running = responder(config, "--engine", engine, "--workers", workers)
    Talk(running.where()).play(talk)
