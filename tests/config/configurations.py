"""What the tests of this room share: configurations in few words, and any number of them for Hypothesis."""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from hypothesis import settings
from hypothesis import strategies as st

from answerback.config import Problem
from answerback.config.checking import check
from answerback.config.compile import rule_key
from answerback.config.document import load
from answerback.internal.v1 import link_pb2
from answerback.v1 import config_pb2 as v1

HELLO = """\
# What `answerback serve` does with no configuration at all: the responder of the mission.
# One read of at most 1024 bytes is one request; it is greeted, and the connection closes.
listeners:
  - name: hello
    address: 0.0.0.0:8000
    framing: {read: {max_bytes: 1024}}        # the default framing
    rules:
      - do: [send: "Hello, World!", close]
"""

AGENT_CHECK = """\
# HAProxy's agent-check: the answer comes on connect, without a request.
listeners:
  - name: agent
    address: 127.0.0.1:7003
    rules:
      - event: CONNECT
        do: [send: "up ready 75%\\n", close]
"""

# Every field that there is, each at least once.
WHOLE = """\
listeners:
  - name: first
    address: 127.0.0.1:7001
    engine: callback
    framing: {line: {keep_ending: true}}
    rules:
      - name: greeting
        event: CONNECT
        do: [send: "hi\\r\\n"]
      - when: PING
        do: [send: {hex: "2b 50 4f 4e 47"}, delay: 1m30s, echo, discard, reset]
      - when: {all: [{prefix: a}, {suffix: {base64: eg==}}, {not: {contains: {hex: "00"}}}]}
        do: [send: {file: reply.bin}]
      - when: {any: [{regex: "^[0-9]+$"}, {equals: {text: quit, ignore_case: true}}]}
        do: [close]
    limits:
      max_connections: 10
      max_connections_per_peer: 2
      idle_timeout: 1.5s
      request_timeout: 300ms
      write_timeout: 0
      lifetime: 1h
      max_request_bytes: 4096
  - name: second
    address: "[::1]:0"
    engine: ENGINE_COROUTINE
    framing: read
"""


def listener(text: str = "", **fields: str) -> v1.Config:
    """A configuration of one listener; the text is YAML of more of its fields, indented as the listener is not."""
    lines = [f"{name}: {value}" for name, value in {"name": "it", "address": "127.0.0.1:0", **fields}.items()]
    block = "\n".join([*lines, *text.splitlines()])
    document = load("listeners:\n  - " + block.replace("\n", "\n    "))
    assert document.problems == ()
    return document.config


def rule(text: str) -> v1.Config:
    """A configuration of one rule, in YAML's flow style: `when: PING, do: [echo]`."""
    return listener(f"rules: [{{{text}}}]")


def said(problems: Sequence[Problem]) -> list[str]:
    """Problems as tests compare them."""
    return [f"{problem.path}: {problem.message}" for problem in problems]


def problems_of(text: str) -> list[str]:
    """Everything that is wrong with a text, as a person is told."""
    document = load(text)
    return [str(each) for each in (*document.problems, *document.located(check(document.config, {})))]


def places(config: v1.Config) -> dict[str, link_pb2.ListenerPlaces]:
    """Places as a supervisor gives them: the listener's block at 1000 by 1000, its rules behind it."""
    return {
        each.name: link_pb2.ListenerPlaces(
            listener=each.name,
            block=1000 * index,
            rules=[1000 * index + 500 + number for number, rule in enumerate(each.rules) if rule_key(rule, number)],
            socket=f"socket {index}",
        )
        for index, each in enumerate(config.listeners)
    }


# ── For Hypothesis ────────────────────────────────────────────────────────────────────────────────────────────────

few = settings(max_examples=30)  # whole configurations take longest to make

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True)
booleans = st.booleans()


def durations(most: int) -> st.SearchStrategy[Duration]:
    return st.builds(Duration, seconds=st.integers(0, most - 1), nanos=st.integers(0, 10**9 - 1)) | st.sampled_from(
        [Duration(), Duration(seconds=1), Duration(nanos=300_000_000), Duration(seconds=90), Duration(nanos=1)]
    )


def _hex(data: bytes) -> str:
    return data.hex(" ")


payloads = st.one_of(st.builds(v1.Payload, text=texts), st.builds(v1.Payload, hex=st.binary(max_size=8).map(_hex)))
literals = st.one_of(
    st.builds(v1.Literal, text=texts, ignore_case=booleans),
    st.builds(v1.Literal, hex=st.binary(max_size=8).map(_hex), ignore_case=booleans),
)
regexes = st.sampled_from(["", "^a", r"(?i)\xff[0-9]+", "é|ü", "(?P<name>.*)$"])


def _not(match: v1.Match) -> v1.Match:
    return v1.Match(**{"not": match})  # type: ignore[arg-type]


matches = st.recursive(
    st.one_of(
        st.builds(v1.Match, equals=literals),
        st.builds(v1.Match, prefix=literals),
        st.builds(v1.Match, suffix=literals),
        st.builds(v1.Match, contains=literals),
        st.builds(v1.Match, regex=regexes),
    ),
    lambda inner: st.one_of(
        st.builds(v1.Match, all=st.builds(v1.Match.List, of=st.lists(inner, min_size=1, max_size=3))),
        st.builds(v1.Match, any=st.builds(v1.Match.List, of=st.lists(inner, min_size=1, max_size=3))),
        inner.map(_not),
    ),
    max_leaves=5,
)
steps = st.one_of(
    st.builds(v1.Step, send=payloads),
    st.builds(v1.Step, delay=st.builds(v1.Delay, fixed=durations(3600))),
    st.sampled_from(
        [
            v1.Step(echo=v1.Step.Echo()),
            v1.Step(discard=v1.Step.Discard()),
            v1.Step(close=v1.Step.Close()),
            v1.Step(reset=v1.Step.Reset()),
        ]
    ),
)
rules = st.one_of(
    st.builds(v1.Rule, do=st.lists(steps, max_size=4), when=matches | st.none(), event=st.sampled_from([0, 1])),
    st.builds(v1.Rule, do=st.lists(steps, max_size=4), event=st.just(v1.EVENT_CONNECT)),
)
framings = st.one_of(
    st.builds(v1.Framing, read=st.builds(v1.Framing.Read, max_bytes=st.integers(1, 1 << 20) | st.none())),
    st.builds(v1.Framing, line=st.builds(v1.Framing.Line, keep_ending=booleans)),
)
counts = st.integers(0, (1 << 32) - 1) | st.none()
timeouts = durations(8760 * 3600) | st.none()
limits = st.builds(
    v1.Limits,
    max_connections=counts,
    max_connections_per_peer=counts,
    idle_timeout=timeouts,
    request_timeout=timeouts,
    write_timeout=timeouts,
    lifetime=timeouts,
    max_request_bytes=st.integers(1, 64 << 20) | st.none(),
)


@st.composite
def configs(draw: st.DrawFn) -> v1.Config:
    """Configurations that nothing is wrong with."""
    chosen = draw(st.lists(names, max_size=3, unique=True))
    return v1.Config(
        listeners=[
            v1.Listener(
                name=name,
                address=draw(st.sampled_from(["127.0.0.1:{}", "[::1]:{}", "0.0.0.0:{}"])).format(7000 + index),
                engine=draw(st.sampled_from([v1.ENGINE_UNSPECIFIED, v1.ENGINE_CALLBACK, v1.ENGINE_COROUTINE])),
                framing=draw(framings | st.none()),
                rules=draw(st.lists(rules, max_size=4)),
                limits=draw(limits | st.none()),
            )
            for index, name in enumerate(chosen)
        ]
    )
