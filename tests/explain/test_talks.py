"""The explanation equals what is served: the conversations of all examples, without a network."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.explain import Moment, explain
from answerback.explain.events import Closed, Sent
from answerback.talk.script import payload

EXAMPLES = Path(__file__).parents[2] / "service/answerback/examples"
# Those that other connections, or the clock, have a part in.
BY_THEMSELVES = {"faults", "qotd", "flaky", "misbehaving", "daytime", "chargen", "tarpit"}
TALKS = [talk for talk in sorted(EXAMPLES.glob("*.talk")) if talk.stem not in BY_THEMSELVES]


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: str(talk.stem))
def test_explained_talk_of_each_example_goes_as_written(talk: Path) -> None:
    config = load(talk.with_suffix(".yaml").read_text()).config
    for connection in re.split(r"^connect$", talk.read_text(), flags=re.MULTILINE):
        moments: list[Moment] = []
        now, heard, ends = 0.0, b"", False
        for line in connection.splitlines():
            word, _, rest = line.partition(" ")
            match word:
                case ">" if not ends:
                    eof = rest == "eof"
                    moments.append(Moment(now, b"" if eof else payload(rest), eof))
                case "<" if rest == "eof":
                    ends = True
                case "<" if rest.startswith("silence "):
                    now += float(rest.split()[1])
                case "<":
                    heard += payload(rest)
                case "within":
                    now += float(rest.split()[1])
        moments.append(Moment(now))
        transcript = explain(config.listeners[0], {}, moments, peer="127.0.0.1", begun=datetime.now(UTC))
        assert b"".join(event.data for event in transcript.events if isinstance(event, Sent)) == heard
        assert any(isinstance(event, Closed) for event in transcript.events) >= ends


def test_explained_talks_exist() -> None:
    assert len(TALKS) > 10
