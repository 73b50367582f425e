"""How a Unix socket differs: it has no RST, and peers have no address."""

from answerback.core import matching, steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Line
from answerback.core.plan import ListenerPlan, Rule
from answerback.core.selection import Rules
from tests.net.conftest import UNIX_KINDS, Serving, each_of

SPARE = 5000  # a cell that no listener's block reaches, for matches of rules


serving = each_of(UNIX_KINDS)


def plan(*rules: Rule) -> ListenerPlan:
    return ListenerPlan("it", "", framing=Line(keep_ending=False), on_request=Rules(rules))


def rule(*taken: steps.Step, when: matching.Matcher | None = None) -> Rule:
    return Rule("rule", SPARE, taken, when, None)


RESET = plan(rule(steps.send(b"about to"), steps.reset()))


def test_reset_unix_connection_reads_the_bytes_sent_and_eof(serving: Serving) -> None:
    serving.commit(RESET)
    assert serving.connect().say(b"now\n").hear_all() == b"about to"
    serving.settle()
    assert serving.closed(CloseReason.SERVER_RESET) == 1


def test_unix_peer_that_closes_is_counted_as_eof(serving: Serving) -> None:
    serving.commit(plan(rule(steps.echo())))
    client = serving.connect().say(b"a\n")
    assert client.hear(1) == b"a"
    client.reset()
    serving.settle()
    assert serving.closed(CloseReason.PEER_EOF) == 1


def test_unix_peer_that_closes_with_unread_data_is_counted_as_reset(serving: Serving) -> None:
    serving.commit(plan(rule(steps.send(b"x" * 100), steps.delay_fixed(30.0))))
    client = serving.connect().say(b"a\n")
    assert client.hear(1) == b"x"
    client.close()
    serving.settle()
    assert serving.closed(CloseReason.PEER_RESET) == 1


def test_aborted_unix_connection_reads_eof(serving: Serving) -> None:
    serving.commit(plan(rule(steps.echo())))
    client = serving.connect().say(b"a\n")
    assert client.hear(1) == b"a"
    serving.call(serving.listeners.abort)
    assert client.hear_all() == b""
    serving.settle()
    assert serving.closed(CloseReason.ABORTED) == 1


def test_unix_peer_matches_no_address(serving: Serving) -> None:
    anywhere = rule(steps.send(b"from anywhere"), steps.close(), when=matching.peer("0.0.0.0/0"))
    serving.commit(plan(anywhere, rule(steps.send(b"from nowhere"), steps.close())))
    assert serving.connect().say(b"a\n").hear_all() == b"from nowhere"
