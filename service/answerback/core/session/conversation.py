"""What is under way on one connection: its input, the request that is being answered, and the script that waits."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from answerback.core.context import RequestContext
from answerback.core.framing import Framing
from answerback.core.plan import ActivePlan, ListenerPlan
from answerback.core.selection import Selector
from answerback.core.session.reader import RequestReader
from answerback.core.session.script import ScriptRun
from answerback.core.session.ticking import set_clocks

if TYPE_CHECKING:
    from answerback.core.session.session import Session


class Conversation:
    """The state of a conversation that has not ended: `requests`, `frames` and `playing` carry it on."""

    __slots__ = ("answered", "context", "number", "partial_since", "reader", "script", "selector", "started")

    answered: int
    """Requests finished, their replies not yet known to be in the kernel; if an upstream owes replies, see `owed`."""
    context: RequestContext | None
    """See `Session.context`; None until it is needed."""
    number: int
    """The number of requests so far."""
    partial_since: float
    """When the first byte of an incomplete request came; `inf` if there is none."""
    script: ScriptRun | None
    """The script that waits for something."""
    selector: Selector
    """Finds the rule on a request in the connection's state."""
    started: float
    """When the request in progress, and those in `answered`, were received."""

    def __init__(self, plan: ListenerPlan) -> None:
        self.reader = RequestReader(plan.framing)
        self.selector = plan.on_request.at_first
        self.context = None
        self.script = None
        self.started = 0.0
        self.answered = 0
        self.partial_since = inf
        self.number = 0

    @property
    def state(self) -> str:
        """The connection's state, as rules name it."""
        return "" if self.context is None else self.context.state

    @property
    def buffer(self) -> bytes:
        """The bytes received since the last finished request."""
        return bytes(self.reader.buffer)

    @property
    def framing(self) -> Framing | None:
        """The framing of what is read next; None is one request of no bytes."""
        script = self.script
        return self.reader.framing if script is None or script.receive is None else script.receive.framing

    @property
    def framer(self) -> Framing | None:
        """What `framing` made for this connection."""
        script = self.script
        return self.reader.framer if script is None or script.receive is None else script.framer

    @property
    def receiving(self) -> bool:
        """Whether a script waits for a frame."""
        return self.script is not None and self.script.receive is not None

    @property
    def script_waits(self) -> bool:
        """Whether a script waits for something else than a frame."""
        return self.script is not None and self.script.receive is None

    @property
    def in_progress(self) -> bool:
        """Whether something will happen without further input, other than a timeout."""
        framer = self.reader.framer
        silence = framer is not None and framer.idle_gap != inf and self.reader.buffer
        return bool(silence) or (self.script_waits and (self.script is None or self.script.awaits is None))

    def take_script(self) -> ScriptRun:
        """Return the script that waits, and clear it."""
        script, self.script = self.script, None
        assert script is not None
        return script

    def split_on(self, session: "Session", framer: Framing) -> tuple[Sequence[bytes], int]:
        """Call `Framing.split` again while it has more to do and this turn has time left."""
        reader = self.reader
        while True:
            reader.searched = len(reader.buffer)
            if session.out_of_time():
                session.give_way()
                return (), 0
            requests, end = framer.split(reader.buffer, reader.searched)
            if requests or not framer.unfinished:
                return requests, end

    def frame_anew(self) -> None:
        """Another framing reads what is in the buffer: it has searched nothing, and its time begins now."""
        self.reader.searched, self.partial_since = 0, inf

    def consume(self, session: "Session", size: int) -> None:
        """Remove what was processed from the buffer."""
        self.reader.consume(size)
        if session.observer is not None:
            session.observer.input_consumed()

    def enter_state(self, session: "Session", state: str) -> None:
        """Use the rules of a state."""
        context = session.context
        if session.observer is not None and state != context.state:
            session.observer.state_entered(state)
        context.state = state
        self.selector = session.plan.on_request.selector_for(state)

    def use_active_plan(self, session: "Session", now: float) -> None:
        """Switch to the active plan, unless its framing differs: then the connection keeps its plan to the end."""
        old, new = session.plan, session.active.plan
        if new is old:
            return
        if new.framing != old.framing or not _frames_alike(new, old):
            session.active = ActivePlan(old)
            return
        session.plan = new
        self.selector = new.on_request.selector_for(self.state)
        if self.reader.framing is old.framing:
            self.reader.framing = new.framing
        if new.ticks or old.ticks:
            set_clocks(session, now)


def _frames_alike(new: ListenerPlan, old: ListenerPlan) -> bool:
    """Whether both have an upstream whose replies are framed alike, or none."""
    if new.upstream is None or old.upstream is None:
        return new.upstream is old.upstream
    return new.upstream.framing == old.upstream.framing
