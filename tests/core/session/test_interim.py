"""`Expect: 100-continue`: a client gets the interim reply it waits for before its body is read, if nothing closes."""

import pytest

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.framing import Fixed, Http, Line
from answerback.core.framing.http import CONTINUE
from answerback.core.plan import Limits
from tests.core.plans import plan, rule, say, template
from tests.core.playbook import Playbook, after, drain, eof

HEAD = b"PUT / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n\r\n"
WHOLE, HEAD_FIRST = Http(), Http(head_first=True)
INTERIM = Send(CONTINUE)


def echoing(framing: Http) -> Playbook:
    return Playbook(plan(rule(steps.echo()), framing=framing))


def test_interim_reply_is_sent_before_the_body_arrives() -> None:
    book = echoing(WHOLE) >> HEAD[:-1]
    book = book.silent() >> HEAD[-1:] << INTERIM >> b"ab"
    book.silent() >> b"c" << Send(HEAD + b"abc") >> HEAD << INTERIM >> b"abc" << Send(HEAD + b"abc")


def test_interim_reply_is_not_sent_for_a_body_that_is_there() -> None:
    echoing(WHOLE) >> HEAD + b"abc" << Send(HEAD + b"abc")
    echoing(HEAD_FIRST) >> HEAD + b"abc" << Send(HEAD + b"abc")


def test_interim_reply_follows_the_replies_before_it() -> None:
    echoing(WHOLE) >> GET + GET + HEAD << Send(GET + GET + CONTINUE) >> b"abc" << Send(HEAD + b"abc")
    echoing(HEAD_FIRST) >> GET + HEAD << Send(GET + HEAD + CONTINUE) >> b"abc" << Send(b"abc")


def test_interim_reply_follows_the_reply_to_the_head() -> None:
    book = echoing(HEAD_FIRST) >> HEAD << Send(HEAD + CONTINUE) >> b"a"
    book.silent() >> b"bc" << Send(b"abc") >> HEAD << Send(HEAD + CONTINUE) >> b"abc" << Send(b"abc")


def test_head_that_matches_no_rule_gets_its_interim_reply() -> None:
    book = Playbook(plan(rule(steps.echo(), when=b"abc"), framing=HEAD_FIRST))
    book >> HEAD << INTERIM >> b"abc" << Send(b"abc")
    assert book.account.unmatched_requests == 1


def test_interim_reply_waits_for_the_script_on_the_head() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(1.0), say(b"x")), framing=HEAD_FIRST)) >> HEAD
    book.silent() >> after(1) << Send(b"x" + CONTINUE)


def test_interim_reply_waits_for_the_script_before_it() -> None:
    book = Playbook(plan(rule(steps.delay_fixed(1.0), say(b"x")), framing=WHOLE)) >> GET >> HEAD
    book.silent() >> after(1) << Send(b"x" + CONTINUE) >> b"abc"
    book.silent() >> after(1) << Send(b"x")
    book = Playbook(plan(rule(steps.delay_fixed(1.0), say(b"x")), framing=WHOLE)) >> GET >> HEAD >> b"abc"
    book.silent() >> after(1) << Send(b"x") >> after(1) << Send(b"x")


@pytest.mark.parametrize("end", [steps.close(), steps.half_close()])
def test_connection_that_is_closed_gets_no_interim_reply(end: steps.Step) -> None:
    Playbook(plan(rule(say(b"no"), end), framing=HEAD_FIRST)) >> HEAD << Send(b"no") << HalfClose()
    book = Playbook(plan(rule(say(b"no"), end), framing=WHOLE)) >> GET + HEAD << Send(b"no") << HalfClose()
    assert len(book.account.rules) == 1


def test_framing_that_was_changed_gives_no_interim_reply() -> None:
    book = Playbook(plan(rule(say(b"no"), steps.set_framing(Line())), framing=HEAD_FIRST)) >> HEAD << Send(b"no")
    book.silent() >> b"abc\n" << Send(b"no")


def test_peer_that_has_closed_its_half_gets_no_interim_reply() -> None:
    book = echoing(WHOLE) >> GET << Send(GET) >> HEAD << INTERIM >> eof << Close(CloseReason.PEER_EOF)
    assert book.account.truncations == 1
    target = plan(rule(steps.delay_fixed(1.0), say(b"x")), framing=WHOLE)
    Playbook(target) >> GET >> HEAD >> eof >> after(1) << Send(b"x") << Close(CloseReason.PEER_EOF)


@pytest.mark.parametrize("framing", [WHOLE, HEAD_FIRST])
def test_body_that_is_too_large_is_not_asked_for(framing: Http) -> None:
    limit = len(HEAD) + 3  # of the whole request; that of the body alone is far above it, too
    target = plan(rule(steps.discard()), framing=framing, limits=Limits(max_request_bytes=limit))
    Playbook(target) >> HEAD << INTERIM
    book = Playbook(target) >> HEAD.replace(b"3", b"9" * 9) << HalfClose() >> eof
    book << Close(CloseReason.REQUEST_TOO_LARGE)


def test_frame_that_a_script_receives_gets_its_interim_reply() -> None:
    target = plan(rule(steps.receive(WHOLE, "it"), say(template("${vars.it}"))), framing=Fixed(1))
    Playbook(target) >> b"x" + HEAD << INTERIM >> b"abc" << Send(HEAD + b"abc")


def test_interim_reply_is_sent_while_the_server_drains() -> None:
    book = echoing(WHOLE) >> HEAD[:-1] >> drain >> HEAD[-1:] << INTERIM >> b"abc" << Send(HEAD + b"abc")
    book << HalfClose() >> eof << Close(CloseReason.DRAIN)


def test_replies_to_heads_are_not_remembered() -> None:
    """A reply from memory would not tell the framing that a body follows."""
    target = plan(rule(say(b"1"), when=HEAD), rule(say(b"2")), framing=HEAD_FIRST)
    for _ in range(4):
        book = Playbook(target) >> HEAD << Send(b"1" + CONTINUE) >> b"GET" << Send(b"2") >> GET << Send(b"2")
        assert book.account.rules == [0, 0, 0]


def test_replies_to_whole_requests_are_remembered() -> None:
    target = plan(rule(say(b"1")), framing=WHOLE)
    for _ in range(2):
        Playbook(target) >> GET << Send(b"1")
    cached = target.on_request.selector_for("").reply_cache.entries[GET]
    assert cached is not None
