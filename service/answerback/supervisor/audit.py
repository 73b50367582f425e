"""The log of who changed what: a line for each change, for each that was refused, and for each operation."""

# Rule: these lines are no warnings: those that repeat would be counted instead of written.

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

log = logging.getLogger("answerback.audit")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    peer: str
    """The address, as gRPC writes it: `ipv4:127.0.0.1:51234`, `unix:`."""
    identity: str = ""
    """What has been proved of it; empty without TLS."""


# Whatever a call sets off runs in its context, tasks too, so nothing has to be passed through all that is in between.
CALLER: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def note(text: str, **fields: object) -> None:
    """Write a line: what happened, to what, and who asked for it. Empty fields are left out."""
    caller = CALLER.get()
    who = {"peer": caller.peer, "identity": caller.identity} if caller else {}
    log.info("%s", text, extra={name: value for name, value in {**fields, **who}.items() if value != ""})
