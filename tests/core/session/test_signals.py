"""Scripts that wait for signals, and give them."""

import pytest

from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.session.status import waits_for
from tests.core.playbook import Playbook, Somewhere, after, connected, drain, eof, fin
from tests.language.compiling import only
from tests.language.configurations import listener

RULES = r"""
framing: line
{more}
rules:
  - {{when: wait, do: [send: "waiting\n", wait: {{signal: go, timeout: 2s}}, send: "gone\n"]}}
  - {{when: twice, do: [wait: go, wait: come, send: "both\n"]}}
  - {{when: go, do: [signal: go, send: "ok\n"]}}
  - {{do: [echo]}}
"""
WAITING, GONE = Send(b"waiting\n"), Send(b"gone\n")


def playing(more: str = "") -> tuple[Playbook, list[str]]:
    """A session, and what its scripts do with signals."""
    connection = Somewhere()
    return Playbook(only(listener(RULES.format(more=more))), connection=connection), connection.signals


def grant(book: Playbook) -> Playbook:
    """The signal is given, and the driver wakes the session, whose deadline has come."""
    assert book.session.signal_granted()
    assert book.session.deadline <= book.now
    return book >> after(0.0)


@pytest.mark.parametrize(
    "more", ["", "faults: [{direction: FROM_PEER, bandwidth: {bytes_per_second: 1000000}}]"], ids=["", "slow reader"]
)
def test_script_continues_when_its_signal_is_given(more: str) -> None:
    book, signals = playing(more)
    book >> connected >> b"wait\nnext\n"
    if more:
        book >> after(0.125)  # until it has been read
    book << WAITING
    assert (signals, waits_for(book.session)) == (["await go"], "signal")
    assert book.session.in_progress
    grant(book) << GONE << Send(b"next")
    assert signals == ["await go"]
    assert not book.session.signal_granted(), "one signal ends one wait"


def test_script_continues_after_the_timeout_and_waits_no_longer() -> None:
    book, signals = playing()
    book >> b"wait\n" << WAITING >> after(1.9375)
    assert signals == ["await go"]
    book >> after(0.0625) << GONE
    assert signals == ["await go", "forgo"]
    assert not book.session.signal_granted()


def test_script_waits_for_one_signal_after_the_other() -> None:
    book, signals = playing()
    book >> b"twice\n" >> after(29.0)
    grant(book) >> after(29.0)  # the second wait has a time of its own
    grant(book) << Send(b"both\n")
    assert signals == ["await go", "await come"]


def test_signal_is_given_and_the_script_continues_at_once() -> None:
    book, signals = playing()
    book >> b"go\ngo\n" << Send(b"ok\n") << Send(b"ok\n")
    assert signals == ["give go", "give go"]
    assert not book.session.signal_granted()


def test_drain_ends_a_wait_in_order() -> None:
    book, signals = playing()
    book >> b"wait\n" << WAITING >> drain << HalfClose() >> eof << Close(CloseReason.DRAIN)
    assert not book.session.signal_granted()
    assert signals == ["await go"]


def test_wait_during_a_drain_ends_at_once() -> None:
    book, signals = playing()
    book >> b"wai" >> drain >> b"t\n" << WAITING << HalfClose() >> eof << Close(CloseReason.DRAIN)
    assert signals == []


def test_client_that_closes_its_half_still_gets_what_follows_the_wait() -> None:
    book, _ = playing()
    book >> b"wait\n" << WAITING >> fin >> eof >> after(1.0)
    grant(book) << GONE << Close(CloseReason.PEER_EOF)


def test_idle_timeout_does_not_end_a_wait() -> None:
    book, _ = playing("limits: {idle_timeout: 1s}")
    book >> b"wait\n" << WAITING >> after(1.5)
    grant(book) << GONE >> after(0.9375)
    book >> after(0.0625) << HalfClose() >> eof << Close(CloseReason.IDLE_TIMEOUT)
