"""Listeners with an upstream and rules, from text."""

from answerback.core.plan import ListenerPlan
from answerback.internal.v1 import link_pb2
from answerback.language.check import check
from answerback.language.compile import compile_plan
from answerback.language.rules import rule_key
from tests.language.configurations import listener
from tests.net.conftest import Serving
from tests.net.relay.upstreams import Server

PING = '{name: ping, when: PING, do: [send: "PONG\\n"]}'


def framed(serving: Serving, server: Server | str, *rules: str, framing: str = "line", more: str = "") -> ListenerPlan:
    """The same, with framed replies: lines by default. `more`: other fields of the upstream."""
    return ruled(serving, server, *rules, more=f", framing: {framing}{more}")


def ruled(serving: Serving, server: Server | str, *rules: str, framing: str = "line", more: str = "") -> ListenerPlan:
    """A listener with these rules, and an upstream. `more`: other fields of the listener, or of the upstream."""
    address = server if isinstance(server, str) else str(server.upstream)
    upstream = f"{{address: '{address}'{more if more.startswith(',') else ''}}}"
    lines = [f"upstream: {upstream}", "rules:", *(f"  - {each}" for each in rules)]
    if framing:
        lines.append(f"framing: {framing}")
    if not more.startswith(","):
        lines.append(more)
    config = listener("\n".join(lines))
    assert check(config, {}) == []
    places = serving.places

    def layout(name: str) -> link_pb2.ListenerLayout:
        (given,) = config.listeners
        keys = [rule_key(rule, index) for index, rule in enumerate(given.rules)]
        return link_pb2.ListenerLayout(
            listener=name,
            block=places.listener(name),
            rules=[places.rule(name, key) for key in keys],
            counters=[0 for _ in keys],
            faults=[places.fault(name, str(index)) for index, _ in enumerate(given.faults)],
            fault_counters=[0 for _ in given.faults],
        )

    plan = compile_plan(config, {}, revision=1, layouts=layout, default_engine=serving.engine)
    return plan.listeners["it"]


def matches(serving: Serving, rule: str) -> int:
    return int(serving.memory.region(0)[serving.places.rule("it", rule)])
