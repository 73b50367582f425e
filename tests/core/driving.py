"""Drives a session with floods, and measures its turns by processor time."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace

from answerback.core.plan import ActivePlan, ListenerPlan
from answerback.core.selection import Rules
from answerback.core.session import Session
from answerback.document.document import load
from tests.core.playbook import Account, Somewhere
from tests.language.compiling import only

FLOOD = 64 << 10
WAIT = 0.100  # seconds that another connection may have to wait
ORDINARY_RULES = 300
MANY_RULES = 10_000

# The shortest requests under each framing.
SHORTEST: dict[str, tuple[str, bytes]] = {
    "read": ("read: {max_bytes: 1}", b"\n"),
    "line": ("line: {}", b"\n"),
    "delimiter": ("delimiter: {end: '|'}", b"|"),
    "fixed": ("fixed: {size: 1}", b"x"),
    "length_prefix": ("length_prefix: {width: 1}", b"\0"),
    "length_prefix, hexadecimal digits": ("length_prefix: {encoding: HEX, until: ':'}", b"0:"),
    "length_prefix, varint": ("length_prefix: {encoding: VARINT}", b"\0"),
    "length_prefix, long varint": ("length_prefix: {encoding: VARINT}", b"\x80" * 9 + b"\0"),
    "length_prefix, ber": ("length_prefix: {encoding: BER}", b"\0"),
    "dot_stuffed": ("dot_stuffed: {}", b".\n"),
    "dot_stuffed, a line each": ("dot_stuffed: {}", b"\n.\n"),
    "websocket": ("websocket: {}", b"\x82\x80abcd"),
    "idle": ("idle: {gap: 1s}", b"x"),
    "until_eof": ("until_eof: {}", b"x"),
    "pattern": ("pattern: {end: x}", b"x"),
    "resp": ("resp: {}", b"\n"),
    "http": ("http: {}", b"G\n\n"),
    "http, head first": ("http: {head_first: true}", b"G\n\n"),
    "http, heads and bodies": ("http: {head_first: true}", b"G\nContent-Length:1\n\nx"),
    "http, empty lines": ("http: {}", b"\n" * 64 + b"G\n\n"),
}
# Requests of as many parts as there can be: how they begin, a part, and how they end.
MANY_PARTS: dict[str, tuple[str, bytes, bytes, bytes]] = {
    "http chunks": ("http: {}", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", b"0\r\n\r\n"),
    "http fields": ("http: {}", b"GET / HTTP/1.1\r\n", b"Content-Length:0\n", b"\n"),
    "http values": ("http: {}", b"GET / HTTP/1.1\r\nContent-Length:0", b",0", b"\r\n\r\n"),
    "http lines": ("http: {}", b"GET / HTTP/1.1\r\nTransfer-Encoding:", b"\n ", b"chunked\r\n\r\n0\r\n\r\n"),
    "http trailers": ("http: {}", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a:\r\n", b"\r\n"),
    "http chunks, head first": (
        "http: {head_first: true}",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n",
        b"0\r\n\r\n",
    ),
    "http short fields": ("http: {}", b"GET / HTTP/1.1\r\n", b":\n", b"\n"),
    "http length-like fields": ("http: {}", b"GET / HTTP/1.1\r\n", b"content-lengt:\n", b"\n"),
    "websocket payload": ("websocket: {}", b"\x82\xff" + ((1 << 20) - 14).to_bytes(8, "big") + b"abcd", b"a", b""),
    "dot_stuffed lines": ("dot_stuffed: {}", b"", b"..\n", b".\n"),
    "resp bulks": ("resp: {}", b"*170000\r\n", b"$0\r\n\r\n", b""),
}
# A condition of each kind that does not hold, the n-th of many.
CONDITIONS: dict[str, str] = {
    "equals": "equals: {{text: nothing{n}, ignore_case: true}}",
    "prefix": "prefix: nothing{n}",
    "suffix": "suffix: nothing{n}",
    "contains": "contains: {{text: nothing{n}, ignore_case: true}}",
    "regex": "regex: 'n[a-z]*{n}(.*)g$'",
    "size": "size: {{min: 10000000, max: 1{n:07}0}}",
    "bytes": "bytes: {{offset: 3, equals: nothing{n}}}",
    "peer": "peer: 10.0.1.0/24",
    "all": "all: [{{not: {{prefix: nothing{n}}}}}, {{contains: nothing{n}}}]",
    "any": "any: [{{prefix: nothing{n}}}, {{suffix: nothing{n}}}]",
    "not": "not: {{not: {{prefix: nothing{n}}}}}",
    "request_number": "request_number: {{min: 10000000, max: 1{n:07}0}}",
    "expr": "expr: \"'nothing{n}' in request and crc32(request) == {n}\"",
}


def listener(framing: str, condition: str, rules: int) -> ListenerPlan:
    """Rules of which none matches."""
    different = 20
    lines = [f"  - {{when: {{{condition.format(n=n)}}}, do: [{{send: no}}]}}\n" for n in range(different)]
    top = f"listeners:\n- name: it\n  address: 127.0.0.1:1\n  framing: {{{framing}}}\n  rules:\n"
    document = load(top + "".join(lines))
    assert not document.problems
    compiled = only(document.config)
    return replace(compiled, on_request=Rules(compiled.on_request.in_order * (rules // different)))


class Driver:
    """Drives a session as the engines do, and keeps what each turn has cost its thread."""

    def __init__(self, target: ListenerPlan) -> None:
        self.session = Session(ActivePlan(target), Account(), time.thread_time(), Somewhere(clock=time.thread_time))
        self.longest = 0.0
        self.turns = 0

    def turn(self, happened: Callable[[float], object]) -> None:
        """Until the session has nothing more to do, or lets others have their turn; or has taken too long already."""
        gc.freeze()  # as workers do: otherwise a collection of all that tests have made is a part of the turn
        began = time.thread_time()
        happened(began)
        while self.session.awaits_flush and time.thread_time() - began < WAIT:
            self.session.writing_resumed(time.thread_time())
        self.longest = max(self.longest, time.thread_time() - began)
        gc.unfreeze()
        self.turns += 1

    def flood(self, data: bytes) -> None:
        """The peer sends this, and has turns until it has come to the requests that cost most."""
        session, until = self.session, time.thread_time() + 2 * WAIT
        self.turn(lambda now: session.receive_data(data, now))
        while session.wants_turn and time.thread_time() < until:
            assert not session.wants_read
            self.turn(session.take_turn)
