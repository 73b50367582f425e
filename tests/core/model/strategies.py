"""Short listeners with many features, and conversations that suit them.

Everything is over a handful of words, so that what is generated meets: rules match, states are entered, bodies fit.
"""

import json
import re
from typing import Any

from hypothesis import strategies as st

from answerback.document.document import load
from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.core.framing.cutting import CUTS, in_pieces
from tests.core.model.heard import Happening

WORDS = [b"", b"a", b"b", b"ab", b"GET a", b"get b 3", b"3", b"0", b"12", b"x;y", b"\xff\x00"]
PATTERNS = [
    r"^GET (\S+)$",
    r"(?i)get (?P<key>[a-z]+)(?: (?P<many>\d+))?",
    r"^\d+$",
    r"a|b",
    r"\xff",
    r"^(?P<key>.)",
    "",
]
STATES = ["", "in", "data"]
ENDS = [";", "\r\n.\r\n", "aab", "\n"]
END_PATTERNS = [r"\n", r"[;.]+\d", r"a+b", r"\xff.", r"=\d\d\x01"]
PREFIXES = [
    {"width": 1},
    {"width": 2, "strip": True},
    {"width": 1, "offset": 1, "adjust": -2},
    {"width": 2, "encoding": "LITTLE_ENDIAN", "adjust": 1},
    {"encoding": "DECIMAL", "until": "\n"},
    {"encoding": "HEX", "width": 1, "strip": True},
    {"encoding": "VARINT", "strip": True},
    {"encoding": "BER", "offset": 1},
    {"width": 1, "strip": True, "adjust": -1},
]

Language = dict[str, Any]
"""A part of a configuration, as a file would say it."""

words = st.sampled_from(WORDS)
# No two things fall due together: talks happen at odd times, everything the listener does at even ones.
pauses = st.sampled_from([20, 60, 100, 360]).map("{}ms".format)


def as_hex(data: bytes) -> Language:
    return {"hex": data.hex()}


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Language]:
    """A mapping with some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def one(name: str, content: st.SearchStrategy[Any]) -> st.SearchStrategy[Language]:
    return content.map(lambda given: {name: given})


whole_framings: st.SearchStrategy[Language] = st.one_of(  # how they are cut does not matter
    one("line", some(keep_ending=st.booleans())),
    one("delimiter", st.fixed_dictionaries({"end": st.sampled_from(ENDS), "keep": st.booleans()})),
    one("pattern", st.fixed_dictionaries({"end": st.sampled_from(END_PATTERNS)})),
    one("fixed", st.fixed_dictionaries({"size": st.integers(1, 5)})),
    one("length_prefix", st.sampled_from(PREFIXES)),
    one("dot_stuffed", some(keep=st.booleans())),
    st.sampled_from([{"until_eof": {}}, {"http": {}}, {"http": {"head_first": True}}, {"resp": {}}, {"websocket": {}}]),
)
timed_framings: st.SearchStrategy[Language] = st.one_of(
    one("read", some(max_bytes=st.integers(1, 6))), one("idle", st.fixed_dictionaries({"gap": pauses}))
)
sizes = st.sampled_from(["int(request)", "int(vars.x)", "len(request)", "be(captures[1])", "request[1] - 48", "2", "0"])
sized = one("fixed", st.fixed_dictionaries({"size_from": sizes}))

literals = words.map(as_hex) | words.map(lambda word: {**as_hex(word), "ignore_case": True})
small = st.integers(1, 4)
ranges = one("min", small) | one("max", small) | st.just({"min": 2, "max": 3})
leaves: st.SearchStrategy[Language] = st.one_of(
    one("equals", words.map(as_hex)),
    one("equals", literals),
    one("prefix", literals),
    one("suffix", literals),
    one("contains", literals),
    one("regex", st.sampled_from(PATTERNS)),
    one("size", ranges),
    one("request_number", ranges),
    st.sampled_from(
        [
            {"bytes": {"offset": 1, "equals": as_hex(b"B"), "mask": {"hex": "df"}}},
            {"bytes": {"equals": as_hex(b"a")}},
        ]
    ),
)
CONDITIONS = [
    "request == 'a'",
    "request != 'b' and len(request) > 1",
    "request[0:1] == 'a'",
    "request[2] == 0x62",
    "int(request) > 2 or request == '0'",
    "vars.x == request",
    "'b' in request",
]
EVENT_CONDITIONS = [
    "state == 'in'",
    "vars.x != ''",
    "request_number % 2 == 1",
    "peer.port == 40000",
    "10 // len(vars.x) > 3",
]
shared_captures = st.sampled_from(
    [
        {"all": [{"regex": PATTERNS[1]}, {"expr": "many == '' or int(many) > 2"}]},
        {"all": [{"regex": PATTERNS[0]}, {"regex": PATTERNS[5]}, {"expr": "captures[1] == 'a' and key == 'G'"}]},
    ]
)
leaves |= one("expr", st.sampled_from([*CONDITIONS, *EVENT_CONDITIONS])) | shared_captures
peers = one("peer", st.sampled_from(["192.0.2.0/24", "192.0.2.1", "10.0.0.0/8", "::1"]))


def combined(inner: st.SearchStrategy[Language]) -> st.SearchStrategy[Language]:
    lists = st.lists(inner, min_size=1, max_size=3)
    return one("all", lists.filter(tells_names_apart)) | one("any", lists) | one("not", inner)


def tells_names_apart(conditions: list[Language]) -> bool:
    """Whether no two conditions have a group of the same name."""
    found = [name for condition in conditions for name in captured(condition) if not name.isdecimal()]
    return len(found) == len(set(found))


def shares_no_names(when: Language) -> bool:
    """Whether it has no groups with names, which other conditions of a rule may have."""
    return "key" not in json.dumps(when)


matches = leaves | st.recursive(leaves | peers, combined, max_leaves=4)
without_request = peers | one("expr", st.sampled_from(EVENT_CONDITIONS))
peer_matches = st.recursive(without_request, combined, max_leaves=2)

TEMPLATES = [
    "[${request_number}:${hex(request)}:${state}:${vars.x}]",
    "<${1}|${key}|${many}>",
    "${upper(request)}$$${request[1:-1]}",
    "${u16be(len(request))}${request}",
]
payloads: st.SearchStrategy[Language] = st.one_of(
    st.sampled_from(["ok;", "+PONG\r\n"]).map(lambda text: {"text": text}),
    words.map(as_hex),
    st.just({"template": TEMPLATES[0]}),
    st.sampled_from(TEMPLATES).map(lambda text: {"template": text}),
)
sends = one("send", payloads)


def steps_within(framings: st.SearchStrategy[Language]) -> st.SearchStrategy[Any]:
    """Steps, whose `framing` and `receive` go by these."""
    dribbles = {"payload": payloads, "gap": pauses}
    taken = st.fixed_dictionaries(
        {"framing": framings | sized}, optional={"into": st.just("x"), "expect": matches.filter(shares_no_names)}
    )
    return st.one_of(
        sends,
        sends,
        one("delay", pauses),
        one("state", st.sampled_from(STATES)),
        one("set", st.fixed_dictionaries({"name": st.just("x"), "value": payloads})),
        one("framing", framings | sized),
        one("receive", taken),
        one("dribble", st.fixed_dictionaries({**dribbles, "chunks": st.integers(1, 4)})),
        one("dribble", st.fixed_dictionaries({**dribbles, "size": st.integers(1, 4)})),
        st.sampled_from(["echo", "discard", "close", "half_close", "reset", "hang", {"hang": {"ignore_fin": True}}]),
    )


def captured(when: Language) -> set[str]:
    """The groups that expressions of a rule with this condition may look up."""
    ((kind, given),) = when.items() or [("", "")]
    if kind == "regex":
        pattern = re.compile(given)
        return {*pattern.groupindex, *map(str, range(1, pattern.groups + 1))}
    return set().union(*map(captured, given)) if kind in {"all", "any"} else set()


def knowing(known: set[str], scripts: list[Any], *, on_request: bool) -> list[Any]:
    """The same scripts, where expressions look up a variable in place of what there is not."""
    text = json.dumps(scripts)
    for group in {"1", "key", "many"} - known:
        text = text.replace(f"${{{group}}}", "${vars.x}").replace(f"captures[{group}]", "vars.x")
    if not on_request:
        text = re.sub(r"\brequest\b(?!_)", "vars.x", text)
    found: list[Any] = json.loads(text)
    return found


@st.composite
def rules(draw: st.DrawFn, framings: st.SearchStrategy[Language]) -> Language:
    scripts = st.lists(steps_within(framings), max_size=3)
    event = draw(st.sampled_from(["REQUEST"] * 6 + ["CONNECT", "IDLE", "EOF", "DRAIN", "TICK"]))
    when = draw(st.none() | (matches if event == "REQUEST" else peer_matches))
    rule = draw(
        some(
            in_states=st.lists(st.sampled_from(STATES), max_size=2, unique=True),
            times=st.integers(0, 2),
            scope=st.sampled_from(["LISTENER", "CONNECTION", "PEER"]),
        )
    )
    rule |= {"interval": draw(st.sampled_from(["94ms", "1234ms"]))} if event == "TICK" else {}
    rule |= {"event": event} | ({} if when is None else {"when": when})
    known = captured(when or {})
    if draw(st.integers(0, 3)):
        return rule | {"do": knowing(known, draw(scripts), on_request=event == "REQUEST")}
    of = knowing(known, draw(st.lists(scripts, min_size=1, max_size=3)), on_request=event == "REQUEST")
    then = draw(st.sampled_from(["REPEAT_LAST", "CYCLE", "NEXT_RULE", "RANDOM"]))
    weights = {"weights": [0] * (len(of) - 1) + [1]} if then == "RANDOM" else {}
    return rule | {"replies": {"of": of, "then": then, **weights}}


limits = some(
    idle_timeout=st.sampled_from(["0", "2s", "240ms"]),
    request_timeout=st.sampled_from(["0", "1400ms", "140ms"]),
    lifetime=st.sampled_from(["0", "5s", "700ms"]),
    max_request_bytes=st.sampled_from([4, 6, 9]),
)


@st.composite
def listeners(draw: st.DrawFn, framings: st.SearchStrategy[Language]) -> Language:
    """Listeners under these framings, with rules that come in useful: the last one tells what was framed."""
    listener: Language = {
        "name": "it",
        "address": "127.0.0.1:7000",
        "framing": draw(framings),
        "rules": draw(st.lists(rules(framings), max_size=5)),
        "limits": draw(limits),
    }
    if "http" in json.dumps(listener) or "resp" in json.dumps(listener):
        listener["limits"].pop("max_request_bytes", None)  # what such a request has at least takes more than a model
    if draw(st.booleans()):
        listener["rules"].append({"do": [{"send": {"template": TEMPLATES[0]}}]})
    return listener


def read(listener: Language) -> v1.Config:
    """The configuration, which nothing is wrong with."""
    document = load(json.dumps({"listeners": [listener]}))
    problems = [*document.problems, *check(document.config, {})]
    assert not problems, problems
    return document.config


# Requests of every framing, ends of every kind, and now and then anything.
PARTS = [
    *(word + b"\r\n" for word in WORDS),
    *(word + b";" for word in WORDS[:4]),
    *(bytes([0, len(word)]) + word for word in WORDS),
    *(bytes([len(word)]) + word for word in WORDS),
    *(b"*1\r\n$%d\r\n%b\r\n" % (len(word), word) for word in WORDS[:5]),
    b"\x81\x83abcd\x00\x00\x00",
    b"\x82\xfe\x00\x02ab",
    b"\r\n.\r\n",
    b".\n",
    b"..a\n.",
    b"aab",
    b"3\nab\r",
    b"=12\x01",
    b"\xff\x02",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    b"PUT / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    b"PUT / HTTP/1.0\nContent-Length: 1\nExpect: 100-continue\n\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nexpect:100-Continue\r\n\r\n1\r\n",
    b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
]
any_streams = st.lists(st.sampled_from(PARTS) | st.binary(min_size=1, max_size=3), max_size=8).map(b"".join)
# Whether a client that expects `100 Continue` gets it depends on what arrives together with its head.
streams = any_streams.filter(lambda stream: b"100-continue" not in stream.lower())


@st.composite
def talks(draw: st.DrawFn) -> list[Happening]:
    """A stream in pieces at odd times, then mostly its end; and sometimes a drain in between."""
    stream = draw(any_streams)
    pieces: list[bytes | str] = [*in_pieces(stream, draw(CUTS))]
    if draw(st.integers(0, 5)) == 0:
        pieces.insert(draw(st.integers(0, len(pieces))), "drain")
    if draw(st.integers(0, 5)):
        pieces.append("eof")
    at, talk = 1, []
    for piece in pieces:
        talk.append(Happening(at, piece))
        at += draw(st.sampled_from([0, 0, 2, 50, 82, 200, 500, 3000]))
    return talk
