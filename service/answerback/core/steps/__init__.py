"""The steps of a rule: a file for each kind; `base` has what a step results in.

A step that depends on its context (the request being answered, and its connection) is a function of it. Any other
step is its own result, made when it was compiled. Steps change nothing themselves: the session carries out the result.
"""

from answerback.core.steps.add import add_shared
from answerback.core.steps.base import (
    AWAIT_OWN_REPLY,
    AWAIT_REPLIES,
    AWAIT_ROOM,
    END_AS_FAILED,
    END_AS_MALFORMED,
    END_AS_NOT_SHARED,
    END_AS_TOO_LARGE,
    END_AS_UPSTREAM_DOWN,
    END_BY_RESET,
    END_IN_ORDER,
    FORWARD,
    AddShared,
    AwaitReplies,
    AwaitSignal,
    Chunks,
    DeleteShared,
    DeleteVariable,
    EndSession,
    EnterState,
    ForwardRequest,
    GiveSignal,
    Hang,
    PutShared,
    Receive,
    SetFraming,
    SetVariable,
    Size,
    StartTls,
    Step,
    StepResult,
    Wait,
    failed,
)
from answerback.core.steps.close import close
from answerback.core.steps.delay import delay_drawn, delay_fixed
from answerback.core.steps.discard import discard
from answerback.core.steps.dribble import dribble
from answerback.core.steps.echo import echo
from answerback.core.steps.forward import forward, pass_reply
from answerback.core.steps.framing import set_framing, set_framing_of_size
from answerback.core.steps.half_close import half_close
from answerback.core.steps.hang import hang
from answerback.core.steps.receive import receive, receive_of_size
from answerback.core.steps.reset import reset
from answerback.core.steps.respond import Response, respond
from answerback.core.steps.send import send
from answerback.core.steps.set import put_shared, set_variable
from answerback.core.steps.signal import signal
from answerback.core.steps.start_tls import start_tls
from answerback.core.steps.state import state
from answerback.core.steps.unset import delete_shared, unset_variable
from answerback.core.steps.wait import wait

# Rule: one step, one file, one test. A new step need not be named here.

__all__ = [
    "AWAIT_OWN_REPLY",
    "AWAIT_REPLIES",
    "AWAIT_ROOM",
    "END_AS_FAILED",
    "END_AS_MALFORMED",
    "END_AS_NOT_SHARED",
    "END_AS_TOO_LARGE",
    "END_AS_UPSTREAM_DOWN",
    "END_BY_RESET",
    "END_IN_ORDER",
    "FORWARD",
    "AddShared",
    "AwaitReplies",
    "AwaitSignal",
    "Chunks",
    "DeleteShared",
    "DeleteVariable",
    "EndSession",
    "EnterState",
    "ForwardRequest",
    "GiveSignal",
    "Hang",
    "PutShared",
    "Receive",
    "Response",
    "SetFraming",
    "SetVariable",
    "Size",
    "StartTls",
    "Step",
    "StepResult",
    "Wait",
    "add_shared",
    "close",
    "delay_drawn",
    "delay_fixed",
    "delete_shared",
    "discard",
    "dribble",
    "echo",
    "failed",
    "forward",
    "half_close",
    "hang",
    "pass_reply",
    "put_shared",
    "receive",
    "receive_of_size",
    "reset",
    "respond",
    "send",
    "set_framing",
    "set_framing_of_size",
    "set_variable",
    "signal",
    "start_tls",
    "state",
    "unset_variable",
    "wait",
]
