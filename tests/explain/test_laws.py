"""The explanation equals what is served, for any configuration and conversation."""

from datetime import UTC, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from answerback.explain import Moment, Transcript, explain
from answerback.explain import events as e
from answerback.explain.names import RuleName
from answerback.v1 import config_pb2 as v1
from tests.core.model import strategies
from tests.core.model.conversation import LINGER
from tests.core.model.heard import Happening, Heard
from tests.core.model.playing import UNTIL, played
from tests.core.playbook import Somewhere
from tests.language.compiling import only
from tests.language.strategies import configs, few

PEER = "192.0.2.1"


def explained(listener: v1.Listener, talk: list[Happening]) -> Transcript:
    moments = [Moment(at / 1000, b"" if what == "eof" else bytes(what), what == "eof") for at, what in talk]  # type: ignore[arg-type]
    begun = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return explain(listener, {}, [*moments, Moment(UNTIL / 1000)], peer=PEER, begun=begun)


def in_words(transcript: Transcript) -> Heard:  # noqa: C901 - one case an event
    """What was explained, in the words of the model."""
    heard = Heard()
    for event in transcript.events:
        at = round(event.at * 1000)
        if at > UNTIL:
            break
        match event:
            case e.Sent(_, data):
                heard.say(at, data)
            case e.HalfCloses():
                heard.say(at, "fin")
            case e.Closed(_, reset, reason):
                heard.say(at, f"{'reset' if reset else 'close'} {reason}")
            case e.Evaluated(event="REQUEST", rule=None):
                heard.unmatched += 1
            case e.Evaluated(event="REQUEST", rule=RuleName(_, index)):
                heard.rules.append(index)
            case e.Evaluated(rule=RuleName(_, index)):
                heard.events.append(index)
            case e.Incomplete(why=why) if why.startswith("the peer closed its half"):
                heard.truncated += 1
            case e.Waits(_, seconds):
                heard.delays.append(round(seconds * 1000))
    return heard


@given(st.data())
def test_explained_session_answers_as_an_unobserved_one(data: st.DataObject) -> None:
    config = strategies.read(data.draw(strategies.listeners(strategies.whole_framings | strategies.timed_framings)))
    talk = [each for each in data.draw(strategies.talks()) if each.what != "drain"]
    listener = config.listeners[0]
    plan = only(config)
    port = int(listener.address.rpartition(":")[2])
    connection = Somewhere("1", 1, (PEER, 50000), port, Random(plan.random_seed or 0))
    served, told = played(plan, talk, connection), in_words(explained(listener, talk))
    # The one who listens to an explanation answers FIN with FIN at once, and the other never.
    closed = [what for _, what in served.transcript if isinstance(what, str) and what.startswith(("close", "reset"))]
    ends = [(at, what) for at, what in told.transcript if isinstance(what, str) and what != "fin"]
    if ends and not closed:  # near the end of the test, it lingers still
        at, _ = ends[0]
        assert at > UNTIL - LINGER
        assert (at, "fin") in served.transcript
    else:
        assert [what for _, what in ends] == closed
    assert sent(told) == sent(served)
    assert (told.rules, told.events, told.unmatched, told.delays, told.truncated) == (
        served.rules,
        served.events,
        served.unmatched,
        served.delays,
        served.truncated,
    )


def sent(heard: Heard) -> list[tuple[int, bytes | str]]:
    return [(at, what) for at, what in heard.transcript if isinstance(what, bytes)]


@few
@given(configs(), strategies.talks())
def test_explain_never_fails_for_any_listener_and_talk(config: v1.Config, talk: list[Happening]) -> None:
    for listener in config.listeners:
        explained(listener, [each for each in talk if each.what != "drain"])
