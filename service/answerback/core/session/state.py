"""The state that the parts of a conversation share, and what follows from it."""

from collections.abc import Sequence
from math import inf

from answerback.core.context import RequestContext, SessionConnection
from answerback.core.plan import ActivePlan, ListenerPlan
from answerback.core.recorder import Recorder
from answerback.core.session.closing import CLOSING, HALF_CLOSED, LINGERING, OPEN, OVER, Closing
from answerback.core.session.conversation import Conversation
from answerback.core.session.forwarding import Forwarding
from answerback.core.session.observer import Observer
from answerback.core.session.script import TURN_SECONDS, ScriptRun
from answerback.core.session.ticking import Ticking, set_clocks
from answerback.core.session_metrics import SessionMetrics
from answerback.core.tls import TlsNames


class SessionState:
    """The fields of a session. The parts that it is composed of have their own."""

    __slots__ = (
        "active",
        "active_at",
        "awaits_flush",
        "blocked_since",
        "born",
        "closing",
        "connection",
        "conversation",
        "deadline",
        "fin_noted",
        "forwarding",
        "metrics",
        "observer",
        "plan",
        "recorder",
        "ticking",
        "turn_began",
        "wants_read",
    )

    active_at: float
    """When bytes last came from the peer, or a reply ended."""
    awaits_flush: bool
    """Whether to call `writing_resumed` once the kernel has taken everything."""
    blocked_since: float
    """Since when the kernel has taken only a part of the output; `inf` if it has taken everything."""
    closing: Closing | None
    """None before the first sign of the end."""
    deadline: float
    """When to call `handle_timer`."""
    fin_noted: bool
    """Whether the peer has sent FIN; bytes before it may still be unread."""
    forwarding: Forwarding | None
    """What requests need that an upstream answers; None if the rules answer all."""
    recorder: Recorder | None
    """Records requests and replies; None while the journal is off."""
    ticking: Ticking | None
    """None if the plan has no rules on TICK."""
    turn_began: float | None
    """None: the last turn was used up, and the next is awaited."""
    wants_read: bool

    def __init__(
        self,
        active: ActivePlan,
        metrics: SessionMetrics,
        now: float,
        connection: SessionConnection | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.active = active
        self.plan: ListenerPlan = active.plan
        self.metrics = metrics
        self.connection = connection
        self.observer = observer
        plan = self.plan
        self.conversation = Conversation(plan)
        self.closing = None
        self.turn_began = 0.0
        self.fin_noted = False
        self.blocked_since = inf
        self.recorder = None
        self.forwarding = None
        self.wants_read = True
        self.awaits_flush = False
        self.born = now
        self.active_at = now
        self.deadline = now + plan.limits.silence
        self.ticking = None
        if plan.ticks:
            set_clocks(self, now)

    @property
    def number(self) -> int:
        """The number of requests so far."""
        return self.conversation.number

    @property
    def phase(self) -> int:
        """How far the conversation has come to its end. See `closing`."""
        return OPEN if self.closing is None else self.closing.phase

    @property
    def over(self) -> bool:
        """Whether the last action has been given, or the connection lost."""
        return self.closing is not None and self.closing.phase == OVER

    @property
    def half_closed(self) -> bool:
        """Whether our FIN was sent, and the peer may go on."""
        return self.closing is not None and self.closing.phase == HALF_CLOSED

    @property
    def awaits_fin(self) -> bool:
        """Whether only the peer's FIN is awaited."""
        return self.closing is not None and CLOSING <= self.closing.phase <= LINGERING

    @property
    def eof(self) -> bool:
        """Whether the peer's FIN was read, and so everything before it."""
        return self.closing is not None and self.closing.eof

    @property
    def wants_turn(self) -> bool:
        """Whether work is left that only waits for a turn; then nothing is read."""
        return self.turn_began is None

    @property
    def has_connect_rules(self) -> bool:
        """Whether `connection_made` has anything to do."""
        return bool(self.plan.on_connect.in_order)

    @property
    def tls(self) -> TlsNames | None:
        """What the client said in a TLS handshake, which a layer before this one knows."""
        return None

    @property
    def handshaking(self) -> bool:
        """Whether a handshake is not complete, which a layer before this one makes."""
        return False

    @property
    def in_progress(self) -> bool:
        """Whether something will happen without further input, other than a timeout."""
        return self.conversation.in_progress

    @property
    def owes(self) -> bool:
        """Whether the upstream owes a reply."""
        return self.forwarding is not None and self.forwarding.owes

    @property
    def busy(self) -> bool:
        """Whether a reply is in progress: it waits for its next step, the kernel or a turn, not for the peer."""
        script = self.conversation.script
        script_waits = script is not None and script.receive is None
        return script_waits or self.blocked_since != inf or self.turn_began is None

    @property
    def context(self) -> RequestContext:
        """The context of the request that is being answered."""
        conversation = self.conversation
        context = conversation.context
        if context is None:
            context = conversation.context = RequestContext(self.plan.name, self.connection, self.metrics)
        return context

    def split_again(self, data: bytes) -> Sequence[bytes]:
        """Return the requests in a read whose reply is cached."""
        return self.plan.framing.split(data, 0)[0]

    # ── For the parts ─────────────────────────────────────────────────────────────────────────────────────────────

    def out_of_time(self) -> bool:
        """Whether this turn has used up its time."""
        began, connection = self.turn_began, self.connection
        return began is None or (connection is not None and connection.clock() - began >= TURN_SECONDS)

    def give_way(self) -> None:
        """Schedule the rest of the work for the next turn."""
        self.turn_began = None
        self.wants_read = False

    def suspend(self, script: ScriptRun) -> None:
        """Keep what is left of a script until it can go on."""
        self.conversation.script = script
        self.deadline = min(self.deadline, script.resume_at)

    def own_closing(self) -> Closing:
        """Return `closing`, made if there is none."""
        if self.closing is None:
            self.closing = Closing()
        return self.closing

    def release(self) -> None:
        """Drop the script, the input and the references to the connection, which refers to this object."""
        self.connection = None
        self.turn_began = 0.0
        conversation = self.conversation
        conversation.script = conversation.context = None
        conversation.reader.buffer = b""
        conversation.partial_since = inf
