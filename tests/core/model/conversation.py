"""A model of a conversation, written from the rules of the language only, as a blocking server would do it.

It reads the configuration itself, computes everything again each time, and waits by moving its own clock. What it makes
is compared with what a session makes of the compiled plan.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, cast

from answerback.language import durations
from answerback.v1 import config_pb2 as v1
from tests.core.expressions import reference
from tests.core.model import framing, matching
from tests.core.model.heard import Happening, Heard

if TYPE_CHECKING:
    from answerback.core.context import RequestContext

# Rule: time is in whole milliseconds; `inf` is never.

LINGER = 2_000  # how long a close in order waits for the peer's FIN
EMPTY_IN_A_ROW = 64  # requests without a byte
HANG = 3_600_000  # how long `hang` hangs without a lifetime
DEFAULTS = {"idle_timeout": 300_000, "request_timeout": 30_000, "lifetime": 0}


class Over(Exception):
    """The conversation ends in order, for this reason."""


class Reset(Exception):
    """The conversation ends by reset."""


class Left(Exception):
    """The peer has left while a script waited for a frame."""


class Stopped(Exception):
    """The rest is later than the end of the test."""


MOST = (1 << 32) - 1  # what the schema's field holds


class Model:
    """One connection to a listener; `shared` are the counts of all connections to it, and of each peer."""

    connection_id = "7-1"
    listener_number = 1
    local_port = 8000
    proxy_host = ""
    tls = None

    def __init__(
        self,
        listener: v1.Listener,
        happenings: Sequence[Happening],
        until: int,
        shared: matching.Counts,
        peer: str = "192.0.2.1",
    ) -> None:
        self.peer = (peer, 40000)
        self.heard = Heard()
        self._given = listener
        self._coming = list(happenings)
        self._until = until
        self._shared, self._own = shared, matching.Counts()
        self._now = 0
        self._quiet_since = 0  # the last byte heard, or the end of the last reply
        self._bytes = b""  # heard, and not yet a request
        self._eof = self._draining = self._half_closed = self._farewell = False
        self._framing = listener.framing
        self._empty = 0  # requests since one took a byte
        self._head = b""  # of the body that comes next, if heads are requests of their own
        self._after: tuple[v1.Framing, bytes] | None = None  # what to return to, if this framing is for one request
        self._in_tick = False  # whether a rule on TICK acts: it does not count as a sign of life
        self._prompted = False  # whether the client was asked for the rest of its request
        self._dies = self._limit("lifetime")
        self._clocks = {index: 0 for index, rule in enumerate(listener.rules) if rule.event == v1.EVENT_TICK}
        # What expressions look at.
        self.listener = listener.name
        self.state = ""
        self.number = 0
        self.request = b""
        self.captures: matching.Together | None = None
        self.variables: dict[str, bytes] = {}
        self.chance = random.Random(0)

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        return lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def run(self) -> Heard:
        """The whole conversation."""
        try:
            try:
                self._act(v1.EVENT_CONNECT)
                while True:
                    self._one_request()
            except Reset:
                self.heard.say(self._now, "reset server_reset")
            except Over as over:
                self._close(str(over))
        except Stopped:
            pass
        return self.heard

    def _one_request(self) -> None:
        request = self._next_request()
        if request is None:
            self._leave()
            return
        self.number += 1
        if not self._act(v1.EVENT_REQUEST, request):
            self.heard.unmatched += 1
            self._quiet_since = self._now

    def _leave(self) -> None:
        """Nothing is owed any more, and the peer has closed its half, or the server drains."""
        if not self._farewell:
            self._farewell = True
            if self._act(v1.EVENT_EOF if self._eof else v1.EVENT_DRAIN):
                return
        raise Over("peer_eof" if self._eof else "drain")

    # ── What the peer says ────────────────────────────────────────────────────────────────────────────────────────

    def _next_request(self) -> bytes | None:
        """The next request, waited for; None once there will be none."""
        begun: float = self._now
        while True:
            self._tick()
            request = self._look(self._framing, self._head)
            if request is not None:
                self._head = b"" if self._head else framing.head_before_a_body(self._framing, request)
                if self._after is not None:
                    (self._framing, self._head), self._after = self._after, None
                return request
            if self._eof:
                self._truncate()
            if self._eof or (self._draining and not self._bytes):
                return None
            self._prompt(self._framing, self._head)
            if not self._bytes:
                begun = self._next_time()
            silent = self._wait(self._framing, begun + self._limit("request_timeout"))
            if silent is not None:
                return silent

    def _take(self, taken: v1.Framing) -> bytes:
        """One frame, for a script that waits for it."""
        begun = self._now
        if not self._in_tick:
            self._quiet_since = begun
        while True:
            frame = self._look(taken)
            if frame is not None:
                return frame
            if self._eof:
                self._truncate()
                raise Left
            self._prompt(taken)
            silent = self._wait(taken, begun + self._limit("request_timeout"), in_script=True)
            if silent is not None:
                return silent

    def _truncate(self) -> None:
        self.heard.truncated += bool(self._bytes)
        self._bytes = b""

    def _prompt(self, by: v1.Framing, head: bytes = b"") -> None:
        """Ask once for the rest of a request whose client waits for that."""
        if not self._prompted and framing.waits_for_interim(by, self._bytes, head):
            self._prompted = True
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _look(self, by: v1.Framing, head: bytes = b"") -> bytes | None:
        """The request that what was heard begins with. Raises Over if there never will be one."""
        if by.WhichOneof("kind") == "fixed" and not by.fixed.size and not self._half_closed:
            self._empty += 1
            if self._empty > EMPTY_IN_A_ROW:
                raise Over("malformed_request")
            return b""
        most = self._given.limits.max_request_bytes or 1 << 20
        try:
            frame = framing.first(by, self._bytes, head)
            if frame is None and self._eof and framing.takes_the_rest(by) and self._bytes:
                frame = framing.Frame(self._bytes, len(self._bytes))
            size = len(frame.request) if frame else framing.least(by, self._bytes) if self._bytes else 0
        except framing.Malformed:
            raise Over("malformed_request") from None
        if size > most:
            raise Over("request_too_large")
        if frame is None:
            return None
        self._bytes, self._empty, self._prompted = self._bytes[frame.size :], 0, False
        return frame.request

    def _wait(self, by: v1.Framing, late: float, *, in_script: bool = False) -> bytes | None:
        """Until something is heard, or the time for something has come; what silence has made a request, if it has."""
        idle = self._quiet_since + self._limit("idle_timeout")
        tick = inf if in_script else min(map(self._next_tick, self._ticking), default=inf)
        due = min(idle, self._dies, late if self._bytes or in_script else inf, tick)
        ended = inf
        if by.WhichOneof("kind") == "idle" and self._bytes:
            ended = self._quiet_since + durations.nanoseconds(by.idle.gap) // 10**6
            due = min(due, ended)
        if self._next_time() < due:
            self._hear()
            return None
        self._set_clock(due)
        if due == self._dies:
            raise Over("max_lifetime")
        if due == tick:
            return None
        if due == late:
            raise Over("request_timeout")
        if due == ended:
            silent, self._bytes = self._bytes, b""
            return silent
        before = self.request, self.captures
        if not self._act(v1.EVENT_IDLE, in_script=in_script):
            raise Over("idle_timeout")
        if in_script:
            self.request, self.captures = before
        return None

    @property
    def _ticking(self) -> Sequence[int]:
        """The places of the rules on TICK, as long as the conversation goes on."""
        return () if self._half_closed or self._farewell else [*self._clocks]

    def _next_tick(self, index: int) -> int:
        """When the rule on TICK at this place is due next."""
        interval = durations.nanoseconds(self._given.rules[index].interval) // 10**6
        return (self._clocks[index] // interval + 1) * interval

    def _tick(self) -> None:
        """Do what the rules on TICK say that are due, each once, in the order in which they were due."""
        while True:
            due, index = min(((self._next_tick(index), index) for index in self._ticking), default=(inf, 0))
            if due > self._now:
                return
            self._clocks[index] = self._now
            self._in_tick = True
            self._act(v1.EVENT_TICK, only=index)
            self._in_tick = False

    def _busy_until(self, due: float) -> None:
        """What is said until then waits."""
        end = min(due, self._dies)
        while self._next_time() < end:
            self._hear()
        self._set_clock(end)
        if end == self._dies:
            raise Over("max_lifetime")

    def _hang(self, given: v1.Step.Hang) -> None:
        """Until the peer or the server wants it over."""
        end = min(self._now + HANG, self._dies)
        while not self._draining:
            if self._eof and not given.ignore_fin:
                raise Over("peer_gave_up")
            if self._next_time() >= end:
                self._set_clock(end)
                raise Over("max_lifetime")
            self._hear()
        raise Over("drain")

    def _next_time(self) -> float:
        return self._coming[0].at if self._coming else inf

    def _hear(self) -> None:
        at, what = self._coming.pop(0)
        self._set_clock(at)
        if isinstance(what, bytes):
            self._bytes += b"" if self._half_closed else what
            self._quiet_since = at
        elif what == "eof":
            self._eof = True
        else:
            self._draining = True

    def _set_clock(self, at: float) -> None:
        if at > self._until:
            raise Stopped
        self._now = int(at)

    def _limit(self, name: str) -> float:
        given = self._given.limits
        if not given.HasField(name):  # type: ignore[arg-type]
            return DEFAULTS[name] or inf
        return durations.nanoseconds(getattr(given, name)) // 10**6 or inf

    # ── What is done ──────────────────────────────────────────────────────────────────────────────────────────────

    def _act(self, event: int, request: bytes = b"", *, in_script: bool = False, only: int | None = None) -> bool:
        """Do what the first rule says that matches; False if there is none."""
        self.request, self.captures = request, None
        asked = matching.Asked(request, self.number, self.peer[0], self._context())
        chosen = matching.choose(
            self._given, event, self.state, asked, self._shared, self._own, in_script=in_script, only=only
        )
        if chosen is None:
            return False
        self.captures = chosen.captures
        (self.heard.rules if event == v1.EVENT_REQUEST else self.heard.events).append(chosen.index)
        try:
            for step in chosen.script:
                self._do(step)
        except Left:
            self._leave()
        if event != v1.EVENT_TICK:
            self._quiet_since = self._now
        return True

    def _do(self, step: v1.Step) -> None:  # noqa: C901, PLR0912 - a table of steps
        kind = step.WhichOneof("kind")
        if kind == "send":
            self._send(self._payload(step.send))
        elif kind == "echo":
            self._send(self.request)
        elif kind == "delay":
            self._delay(durations.nanoseconds(step.delay.fixed) // 10**6)
        elif kind == "dribble":
            self._dribble(step.dribble)
        elif kind == "close":
            raise Over("server_close")
        elif kind == "half_close":
            if not self._half_closed:
                self.heard.say(self._now, "fin")
            self._half_closed, self._bytes = True, b""
        elif kind == "reset":
            raise Reset
        elif kind == "hang":
            self._hang(step.hang)
        elif kind == "state":
            self.state = step.state
        elif kind == "set":
            self.variables[step.set.name] = self._payload(step.set.value)
        elif kind == "framing":
            self._frame(step.framing)
        elif kind == "receive":
            self._receive(step.receive)

    def _send(self, data: bytes) -> None:
        if not self._half_closed:
            self.heard.say(self._now, data)

    def _delay(self, time: int) -> None:
        self.heard.delays.append(time)
        self._busy_until(self._now + time)

    def _dribble(self, given: v1.Step.Dribble) -> None:
        data = self._payload(given.payload)
        pieces: list[bytes] = []
        if given.chunks:
            for left in range(given.chunks, 0, -1):
                size = -(-len(data) // left)  # rounded up: the first pieces are the longer ones
                pieces.append(data[:size])
                data = data[size:]
        else:
            pieces = [data[at : at + given.size] for at in range(0, len(data), given.size)]
        for number, piece in enumerate(filter(None, pieces)):
            if number:
                self._delay(durations.nanoseconds(given.gap) // 10**6)
            self._send(piece)

    def _frame(self, given: v1.Framing) -> None:
        if given.fixed.WhichOneof("bytes") == "size_from":
            self._after = self._after or (self._framing, self._head)
            size = min(self._number(given.fixed.size_from), MOST)  # more than any stream has, and than any limit
            self._framing = v1.Framing(fixed=v1.Framing.Fixed(size=size))
        else:
            self._framing, self._after = given, None
        self._head = b""

    def _receive(self, given: v1.Step.Receive) -> None:
        frame = self._taken(given.framing)
        if given.into:
            self.variables[given.into] = frame
        if not given.HasField("expect"):
            return
        request, before, self.request = self.request, self.captures, frame
        asked = matching.Asked(frame, self.number, self.peer[0], self._context(), [*before.of] if before else [])
        held = matching.holds(given.expect, asked)
        self.request = request
        self.captures = matching.Together(asked.captures) if asked.captures else None
        if not held:
            raise Over("unexpected")

    def _taken(self, given: v1.Framing) -> bytes:
        if given.fixed.WhichOneof("bytes") == "size_from":
            size = min(self._number(given.fixed.size_from), MOST)
            return self._take(v1.Framing(fixed=v1.Framing.Fixed(size=size))) if size else b""
        return self._take(given)

    def _context(self) -> "RequestContext":
        return cast("RequestContext", self)

    def _number(self, text: str) -> int:
        try:
            size: int = reference.evaluate(text, self._context())
        except reference.Failed:
            raise Over("malformed_request") from None
        if size < 0:
            raise Over("malformed_request")
        return size

    def _payload(self, given: v1.Payload) -> bytes:
        if given.WhichOneof("bytes") == "template":
            try:
                return reference.render(given.template, self._context())
            except reference.TooLong:
                raise Over("reply_too_large") from None
            except reference.Failed:
                raise Over("reply_failed") from None
        return framing.bytes_of(given)

    def _close(self, reason: str) -> None:
        """In order: FIN, then what the peer says is read, for so long, until its own."""
        if not self._eof:
            if not self._half_closed:
                self.heard.say(self._now, "fin")
            end = self._now + LINGER
            while self._next_time() < end and not self._eof:
                self._hear()
            if not self._eof:
                self._set_clock(end)
        self.heard.say(self._now, f"close {reason}")
