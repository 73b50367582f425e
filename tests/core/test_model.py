"""The session and a plain model of the language: whatever the configuration and the talk, they say the same."""

from hypothesis import given
from hypothesis import strategies as st

from answerback.core.actions import Abort, Close, HalfClose, Reset, Send
from answerback.core.plan import ListenerPlan
from tests.config.compiling import only
from tests.core.model import strategies
from tests.core.model.conversation import Model
from tests.core.model.heard import Happening, Heard
from tests.core.model.matching import Counts
from tests.core.playbook import After, Playbook, Somewhere, connected, drain, eof

UNTIL = 20_000  # ms: longer than all limits but those that are there unless given
FIRST_PLACE = 500  # of the rules that the tests compile

FRAMINGS = {
    "however it is cut": strategies.whole_framings,
    "by time, too": strategies.whole_framings | strategies.timed_framings,
}


def played(plan: ListenerPlan, talk: list[Happening], surroundings: Somewhere) -> Heard:
    """What a session makes of a talk."""
    book = Playbook(plan, surroundings=surroundings)
    book >> connected
    for at, what in talk:
        pass_until(book, at)
        if book.session.over:
            break
        book >> (what if isinstance(what, bytes) else {"eof": eof, "drain": drain}[what])
        book.heard.clear()
    pass_until(book, UNTIL)
    account, heard = book.account, Heard()
    for when, action in book.transcript:
        at = round((when - 1000) * 1000)
        match action:
            case Send(data):
                heard.say(at, data)
            case HalfClose():
                heard.say(at, "fin")
            case Close(reason) | Reset(reason) | Abort(reason):
                heard.say(at, f"{type(action).__name__.lower()} {reason.label}")
    heard.rules = [place - FIRST_PLACE for place in account.rules]
    heard.events = [place - FIRST_PLACE for place in account.events]
    heard.unmatched, heard.truncated = account.unmatched_requests, account.truncations
    heard.delays = [round(delay * 1000) for delay in account.delays]
    return heard


def pass_until(book: Playbook, at: int) -> None:
    book.heard.clear()
    book >> After(1000 + at / 1000 - book.now)
    book.heard.clear()


@given(st.data(), st.sampled_from(sorted(FRAMINGS)))
def test_a_plain_model_agrees(data: st.DataObject, kind: str) -> None:
    config = strategies.read(data.draw(strategies.listeners(FRAMINGS[kind])))
    plan, (listener,) = only(config), config.listeners
    shared, surroundings = Counts(), Somewhere()
    for talk in data.draw(st.lists(strategies.talks(), min_size=1, max_size=2)):  # one connection after another
        assert played(plan, talk, surroundings) == Model(listener, talk, UNTIL, shared).run()
