"""Both engines on both loops act as the session does, for any configuration and any split of the stream."""

import errno
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hypothesis import HealthCheck, given, settings

from answerback.core.actions import CloseReason
from answerback.core.plan import Engine, ListenerPlan
from answerback.internal.v1 import link_pb2
from answerback.language.compile import compile_plan
from answerback.shared import listener_counters
from answerback.v1 import config_pb2 as v1
from tests.core.framing.cutting import CUTS, in_pieces
from tests.core.model import strategies
from tests.core.model.heard import Happening, Heard
from tests.core.model.playing import FIRST_PLACE, played
from tests.core.playbook import Somewhere
from tests.net.conftest import Serving

COUNTED = {
    "requests": listener_counters.REQUESTS,
    "unmatched": listener_counters.UNMATCHED,
    "truncated": listener_counters.TRUNCATED,
}
UNEXPECTED_FRAMES = FIRST_PLACE - 1  # the cell for those of all rules


def without_waiting(listener: strategies.Language) -> strategies.Language:
    """The same listener, but nothing in it takes long, and no clock ticks."""
    text = re.sub(r"[1-9]\d*m?s", "1ms", json.dumps({**listener, "limits": {}}))
    text = re.sub(r'\{"hang": \{[^}]*\}\}|"hang"', '"discard"', text)
    limits = {key: value for key, value in listener["limits"].items() if key == "max_request_bytes"}
    shortened = json.loads(text)
    for rule in shortened["rules"]:
        if "interval" in rule:
            rule["interval"] = "1h"
    return {**shortened, "limits": limits}


def planned(config: v1.Config) -> ListenerPlan:
    """Its rules are counted behind the listener's own block."""
    rules = len(config.listeners[0].rules)
    cells = [FIRST_PLACE + index for index in range(rules)]
    unexpected = [UNEXPECTED_FRAMES] * rules
    places = link_pb2.ListenerLayout(listener="it", rules=cells, counters=cells, unexpected=unexpected)
    plan = compile_plan(config, {}, revision=1, layouts=lambda _name: places, default_engine=Engine.CALLBACK)
    return plan.listeners["it"]


def counts(serving: Serving, rules: int) -> Counter[str]:
    """How often what has happened so far."""
    found = Counter({name: serving.count(offset) for name, offset in COUNTED.items()})
    found.update({reason.label: serving.closed(reason) for reason in CloseReason})
    region = serving.memory.region(0)
    found.update({f"rule {index}": int(region[FIRST_PLACE + index]) for index in range(rules)})
    found["unexpected frames"] = int(region[UNEXPECTED_FRAMES])
    return found


def counted(heard: Heard) -> Counter[str]:
    """The same of what a session did."""
    (_, ending) = heard.transcript[-1]
    assert isinstance(ending, str)
    matched = Counter(f"rule {index}" for index in [*heard.rules, *heard.events])
    requests = {"requests": len(heard.rules) + heard.unmatched, "unmatched": heard.unmatched}
    reason = ending.split()[1]
    frames = Counter({"unexpected frames": reason == CloseReason.UNEXPECTED.label})
    return matched + Counter(**requests, truncated=heard.truncated) + frames + Counter([reason])


@contextmanager
def already_ended() -> Iterator[None]:
    """A connection that the server has reset has no half left to close: shutdown(2) says ENOTCONN."""
    try:
        yield
    except OSError as error:
        if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
            raise


@settings(
    max_examples=max(1, settings().max_examples // 3),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(strategies.listeners(strategies.whole_framings).map(without_waiting), strategies.streams, CUTS)
def test_driven_connection_answers_as_the_session_alone(
    serving: Serving, listener: strategies.Language, stream: bytes, cuts: list[int]
) -> None:
    config = strategies.read(listener)
    plan, rules = planned(config), len(config.listeners[0].rules)
    for_peers = [index for index, rule in enumerate(config.listeners[0].rules) if rule.scope == v1.SCOPE_PEER]
    cells = {FIRST_PLACE + index for index in range(rules)} - {FIRST_PLACE + index for index in for_peers}
    serving.listeners.sequences.reset(cells, [FIRST_PLACE + index for index in for_peers])
    said = [Happening(1, piece) for piece in in_pieces(stream, [])]
    expected = played(plan, [*said, Happening(1, "eof")], Somewhere(peer=("127.0.0.1", 1)))
    serving.commit(plan)
    before = counts(serving, rules)
    try:
        client, heard = serving.connect(), b""
    except ConnectionResetError:  # by a rule on CONNECT, before it has returned: nothing can be read any more
        serving.settle()
        assert counts(serving, rules) - before == counted(expected)
        return
    with suppress(ConnectionError):  # where it is reset, and still speaks
        for piece in in_pieces(stream, cuts):
            client.say(piece)
    with already_ended():
        client.finish()
    with suppress(ConnectionError):
        while piece := client.sock.recv(65536):
            heard += piece
    client.close()
    serving.settle()
    assert heard == b"".join(reply for _, reply in expected.transcript if isinstance(reply, bytes))
    assert counts(serving, rules) - before == counted(expected)
