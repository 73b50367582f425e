"""Each event that a transcript can hold has its words."""

from typing import get_args

from answerback.cli.transcript import lines
from answerback.core.matching import Mismatch
from answerback.explain import events
from answerback.explain.names import FaultName
from answerback.explain.transcript import Transcript

WORDS: tuple[tuple[events.Event, str], ...] = (
    (events.Received(0, b"hi\n"), r'    0.000 s > "hi\n"'),
    (events.Connected(1, 2), "    1.000 s   connection 2 begins"),
    (events.TurnedTo(1, 2), "    1.000 s   connection 2 goes on"),
    (events.ReceivedEof(0), "    0.000 s > closes its half (FIN)"),
    (events.AcceptMode(0, "HOLD"), "    0.000 s   accepts, then neither reads nor replies: accept is HOLD"),
    (events.Discarded(0, b"hi"), '    0.000 s > "hi": discarded, the connection is closed'),
    (events.Evaluated(0, "IDLE", 0, b"", "line", "in", None), '            IDLE, in state "in"'),
    (events.Sent(0.5, b"ok"), '    0.500 s < "ok"'),
    (events.Replied(1.0, b"ok\n"), '    1.000 s   the upstream sends: "ok\\n"'),
    (events.Owes(1.0, 2), "    1.000 s   the upstream owes 2 replies"),
    (events.Forwarded(0.5, b"hi\n"), r'    0.500 s   forwarded to the upstream: "hi\n"'),
    (events.Waits(0, 0.25), "            waits 0.25 s"),
    (events.Strikes(0, FaultName("late", 1, "latency")), "            faults[1] late applies: latency"),
    (events.Holds(0), "            hangs: sends nothing more and does not close"),
    (events.Enters(0, "in"), '            enters state "in"'),
    (events.VariableSet(0, "user", b"ada"), '            sets vars.user to "ada"'),
    (events.FramingChanged(0, "line", once=False), "            reads following requests with framing line"),
    (events.Takes(0, "line", "rest"), "            receives one more frame (line) into vars.rest"),
    (events.WaitsForSignal(0, "go", 30), "            waits for the signal go, for at most 30 s"),
    (events.GivesSignal(0, "go"), "            gives the signal go"),
    (events.BeginsTls(0), "            begins TLS: what follows is inside"),
    (
        events.NotExpected(0, b"hi", Mismatch('is not "ho"')),
        '            received "hi", which is not expected: it is not "ho"',
    ),
    (events.HalfCloses(0), "    0.000 s < closes its half (FIN), still reads"),
    (events.Incomplete(0, b"hi", "line", "no LF"), '            incomplete request: "hi" (line): no LF'),
    (events.Closed(2, reset=True, reason="server_reset"), "    2.000 s < resets (RST): server_reset"),
    (events.Open(2, ""), "    2.000 s   stays open"),
)


def test_every_event_has_words_of_its_own() -> None:
    assert {type(event) for event, _ in WORDS} == set(get_args(events.Event))
    for event, words in WORDS:
        assert next(lines(Transcript("it", [event]))) == words
