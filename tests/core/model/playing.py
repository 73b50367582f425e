"""The results of a session for a conversation, in the terms of the model."""

from answerback.core.actions import Abort, Close, HalfClose, Reset, Send
from answerback.core.plan import ListenerPlan
from tests.core.model.heard import Happening, Heard
from tests.core.playbook import After, Playbook, Somewhere, connected, drain, eof

UNTIL = 20_000  # ms: longer than all limits except the default ones
FIRST_PLACE = 500  # of the rules that the tests compile


def played(plan: ListenerPlan, talk: list[Happening], connection: Somewhere) -> Heard:
    """What a session makes of a talk."""
    book = Playbook(plan, connection=connection)
    book >> connected
    for at, what in talk:
        pass_until(book, at)
        if book.session.over:
            break
        book >> (what if isinstance(what, bytes) else {"eof": eof, "drain": drain}[what])
        book.unheard()
    pass_until(book, UNTIL)
    account, heard = book.account, Heard()
    for when, action in book.transcript:
        at = round((when - 1000) * 1000)
        match action:
            case Send(data):
                heard.say(at, bytes(data))
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
    book.unheard()
    book >> After(1000 + at / 1000 - book.now)
    book.unheard()
