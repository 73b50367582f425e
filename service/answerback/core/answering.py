"""From received bytes to replies: frames requests, finds the rule for each, and buffers what is not complete."""

from collections.abc import Sequence
from math import inf

from answerback.core.actions import Action, CloseReason
from answerback.core.ending import HALF_CLOSED, NOTHING, OPEN
from answerback.core.faults import apply_to_close
from answerback.core.framing import MAX_BATCH, Buffer, Framing, Malformed
from answerback.core.plan import ListenerPlan, PlanInForce, Rule
from answerback.core.playing import OUTPUT_AHEAD, Playing, Surroundings
from answerback.core.session_metrics import SessionMetrics

# Rule: one request at a time. Later bytes wait in the buffer and are framed when their turn comes.

READ_AHEAD = 64 << 10  # max. bytes buffered while a reply is in progress; more wait in the kernel

NO_BYTES = ((b"",), 0)
# Max. consecutive requests of size 0 (`frame` with a size of 0): a rule that asks for one more each time would never
# end.
EMPTY_IN_A_ROW = 64
# Placeholder for a rule whose search is still in progress.
SEARCHING = Rule("", -1, (lambda _turn: None,))


class Answering(Playing):
    """A session's requests, from received bytes to the rules that match."""

    __slots__ = (
        "_answered",
        "_buffer",
        "_empty",
        "_farewell",
        "_heard_at",
        "_partial_since",
        "_searched",
        "_started",
    )

    def __init__(
        self, in_force: PlanInForce, ledger: SessionMetrics, now: float, surroundings: Surroundings | None
    ) -> None:
        super().__init__(in_force, ledger, surroundings)
        self._buffer: Buffer = b""
        self._searched = 0  # of the buffer, by the framing
        self._started = now  # when the request in progress, and those in `_answered`, were received
        self._answered = 0  # requests finished, their replies not yet known to be in the kernel
        self._heard_at = now  # or when the last reply ended
        self._partial_since = inf
        self._empty = 0  # requests since the last one of size > 0
        self._farewell = False  # whether the rules on EOF or DRAIN have been applied

    def _converse(self, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Answer the requests in the buffer. `ended`: the rest of the buffer is a complete request."""
        plan = self._plan
        if self._in_force.plan is not plan:
            self._take_new_plan()
        if self._phase == HALF_CLOSED:
            return self._unanswered(now)
        try:
            if self._taking is not None:
                return self._take(now, ended=ended)
            actions, at, more = self._answer(now, ended)
        except Malformed:
            return self._end_in_order(CloseReason.MALFORMED_REQUEST)
        if self._turn_began is None and not more:
            return actions  # a request is still being parsed
        if self._phase == OPEN:
            self._keep(at)
            if self._buffer or more or self._eof or self._draining or self._taking is not None:
                actions += self._rest(more, at, now)
            else:
                self.wants_read = True
                self._partial_since = inf
        elif self._phase == HALF_CLOSED:
            actions += self._unanswered(now)
        return actions

    def _unanswered(self, now: float) -> Sequence[Action]:
        """Our half is closed: input is not a request and is not processed."""
        self._buffer = b""
        self._partial_since = inf
        if self._taking is not None:
            return self._take(now)
        return self._leave(now) if self._script is None and (self._eof or self._draining) else NOTHING

    def _answer(self, now: float, ended: bool) -> tuple[list[Action], int, bool]:
        """Frame and answer requests.

        Return the actions, the start of the next request, and whether it may be complete too.
        """
        for_one = self._framing_before is not None
        requests, end = self._cut(ended)
        buffer, framing, limit = self._buffer, self._framing, self._plan.limits.max_request_bytes
        actions: list[Action] = []
        matched: list[Rule | None] = []
        size = 0
        stop = late = False
        # Up to `MAX_BATCH` look-ups take less than 0.1 ms; the clock is read after anything slower.
        timed = len(requests) > 1 and self._selector.look_up is None
        for request in requests:
            if end > limit and len(request) > limit:
                actions += self._end_in_order(CloseReason.REQUEST_TOO_LARGE)
                break
            rule = self._rule_on(request)
            matched.append(rule)
            if rule is not None:
                if rule.reply is not None:
                    actions.append(rule.reply)
                    size += len(rule.reply.data)
                else:
                    self.request = request
                    found = rule is not SEARCHING
                    script = self._script_of(rule) if found else self._found_on_request(self._selector, request)
                    size += self._play(script, actions, now)
                    stop = self._script is not None or self._phase != OPEN or self._framing is not framing
                    timed = True
                if stop or size >= OUTPUT_AHEAD:
                    break
            if timed and len(matched) < len(requests) and self._out_of_time():
                late = True
                self._give_way()
                break
        answered = len(matched)
        rest = end < len(buffer)
        unfinished = rest and framing is not None and framing.unfinished
        more = (
            stop or late or (answered > 0 and (for_one or unfinished)) or answered == MAX_BATCH or size >= OUTPUT_AHEAD
        )
        if answered < len(requests) and framing is not None:  # in this case it is the framing that cut them
            end = framing.consumed(buffer, answered)
        elif answered and not (more or ended or rest):
            self._remember(matched)
        if answered:
            self._started = now
            self.awaits_flush = True
            self._on_request = self._script is not None
            self._answered = answered - self._on_request
        return actions, end, more

    def _rule_on(self, request: bytes) -> Rule | None:
        """Find the rule on a request, and count the match."""
        self.number += 1
        selector = self._selector
        if selector.look_up is not None:
            rule = selector.look_up(request)
        else:
            self.request, self.captures = request, None
            known = selector.known
            if known is not None and request in known:
                rule = known[request]
            elif len(request) > selector.at_once:
                return SEARCHING
            else:
                rule = selector.search(request, self)
                if known is not None:
                    known.store(request, rule)
        if rule is None:
            self._ledger.unmatched(1)
        else:
            self._ledger.requested(rule.place, 1)
        return rule

    def _remember(self, matched: Sequence[Rule | None]) -> None:
        """Cache the replies to this read, if they depend on its bytes alone."""
        rule, heard, selector = matched[0], self._buffer, self._selector
        if matched.count(rule) < len(matched) or self._framing is not self._plan.framing:
            return
        if selector.remembers and type(heard) is bytes:
            selector.replies.store(heard, len(matched), rule)

    def _resume(self, now: float) -> Sequence[Action]:
        """Continue the script in progress."""
        actions: list[Action] = []
        self._play(self._taken_up(), actions, now)
        if self._script is None:
            self._answered += self._on_request
        if self._script is None or self._taking is not None:
            self._heard_at = now
            self.awaits_flush = True  # the rest is processed, and timed, from there
        return actions

    def _cut(self, ended: bool) -> tuple[Sequence[bytes], int]:
        """Return the requests at the start of the buffer, and where the next one begins."""
        buffer, framing = self._buffer, self._framing
        if ended:
            return (bytes(buffer),), len(buffer)
        if framing is None and self._empty >= EMPTY_IN_A_ROW:
            raise Malformed(f"{EMPTY_IN_A_ROW} requests in a row without a byte")
        requests, end = NO_BYTES if framing is None else framing.split(buffer, self._searched)
        if not requests and framing is not None and framing.unfinished:
            requests, end = self._cut_on(framing)
        if self._framing_before is None or not requests:
            return requests, end
        self._framing, self._framing_before = self._framing_before, None  # the previous framing was for one request
        if framing is not None and len(requests) > 1:
            end = framing.consumed(buffer, 1)
        return requests[:1], end

    def _cut_on(self, framing: Framing) -> tuple[Sequence[bytes], int]:
        """Call `Framing.split`, again while it has more to do and this turn has time left."""
        while True:
            self._searched = len(self._buffer)
            if self._out_of_time():
                self._give_way()
                return (), 0
            requests, end = framing.split(self._buffer, self._searched)
            if requests or not framing.unfinished:
                return requests, end

    def _take(self, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Read the frame that the script waits for. `ended`: the rest of the buffer is a complete frame."""
        taking = self._taking
        assert taking is not None
        frames, end = taking.framing.split(self._buffer, self._searched)
        if not frames and taking.framing.unfinished:
            frames, end = self._cut_on(taking.framing)
        if not frames and (ended or (self._eof and taking.framing.eof_completes and self._buffer)):
            frames, end = (bytes(self._buffer),), len(self._buffer)
        if not frames:
            return self._rest(False, 0, now) if self._turn_began is not None else NOTHING
        if len(frames[0]) > self._plan.limits.max_request_bytes:
            return self._end_in_order(CloseReason.REQUEST_TOO_LARGE)
        self._keep(end if len(frames) == 1 else taking.framing.consumed(self._buffer, 1))
        self._searched, self._partial_since = 0, inf
        self.variables[taking.variable] = frames[0]
        self._taking = None
        return self._resume(now)

    def _keep(self, at: int) -> None:
        """Keep the bytes behind the requests that were processed."""
        buffer = self._buffer
        if at == len(buffer):
            self._buffer = b""
        elif type(buffer) is bytearray:
            del buffer[:at]
        else:
            self._buffer = bytes(buffer[at:])

    def _rest(self, more: bool, taken: int, now: float) -> Sequence[Action]:
        """Decide how to continue after requests were processed, if not by waiting for the next one."""
        left = len(self._buffer)
        self._searched = 0
        self.wants_read = not self._eof
        if more:
            self._partial_since = inf
            self._empty = 0 if taken else self._empty + 1
            if self._script is not None and self._taking is None:
                self.wants_read = not self._eof and left < READ_AHEAD
            self.wants_read = self.wants_read and self._turn_began is not None
            return NOTHING  # `flushed` continues, or the script
        framing = self._framing if self._taking is None else self._taking.framing
        assert framing is not None
        hopeless = self._hopeless(framing) if left and not (self._eof and framing.eof_completes) else None
        if hopeless is not None:
            return self._end_in_order(hopeless)
        if self._eof:
            if left and framing.eof_completes and self._taking is None:
                return self._converse(now, ended=True)
            if left:
                self._ledger.truncated()
                self._buffer = b""
            return self._leave(now)
        if not left and self._taking is None:
            self._partial_since = inf
            return self._leave(now)
        self._searched = left
        if taken or self._partial_since == inf:
            self._partial_since = now
            self.deadline = min(self.deadline, now + self._plan.limits.request_timeout)
        if framing.idle_gap != inf:
            self.deadline = min(self.deadline, now + framing.idle_gap)
        return NOTHING

    def _hopeless(self, framing: Framing) -> CloseReason | None:
        """Return why the buffer will never become a request; None if it may."""
        try:
            least = framing.min_length(self._buffer)
        except Malformed:
            return CloseReason.MALFORMED_REQUEST
        return CloseReason.REQUEST_TOO_LARGE if least > self._plan.limits.max_request_bytes else None

    def _leave(self, now: float) -> Sequence[Action]:
        """The peer has sent FIN, or a drain has begun, and nothing is owed: apply the event's rules, then close."""
        actions: list[Action] = []
        reason = CloseReason.PEER_EOF if self._eof else CloseReason.DRAIN
        self._script = self._taking = None  # input that the script waited for will not come
        if not self._farewell:
            self._farewell = True
            if self._begin(self._plan.on_eof if self._eof else self._plan.on_drain, actions, now, reason):
                return actions  # `flushed` calls this again
        return self._close(reason, now)

    def _close(self, reason: CloseReason, now: float) -> Sequence[Action]:
        """Close in order when nothing is owed; a fault may delay it."""
        if not self._plan.faults:
            return self._end_in_order(reason)
        actions: list[Action] = []
        self._on_request, self._taking = False, None
        self._play(apply_to_close(self._plan.faults, reason, self), actions, now)
        return actions

    def _take_new_plan(self) -> None:
        """Switch to the active plan, unless its framing differs: then this connection keeps its plan to the end."""
        new = self._in_force.plan
        if new.framing == self._plan.framing:
            self._plan: ListenerPlan = new
            self._selector = new.on_request.of(self._state)
        else:
            self._in_force = PlanInForce(self._plan)

    def _stop(self) -> None:
        """See `Ending._stop`."""
        self._forget_turn()
        self._buffer = b""
        self._partial_since = inf
