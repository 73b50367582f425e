"""The audit log: one line for each change, for each rejected change, and for each operation, with its caller."""

# Rule: these lines are not warnings: repeated warnings would be counted instead of written.

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

log = logging.getLogger("answerback.audit")


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of an operation."""

    peer: str
    """The address, as gRPC writes it: `ipv4:127.0.0.1:51234`, `unix:`."""
    identity: str = ""
    """The authenticated name; empty without TLS and token."""


# Everything a call starts runs in its context, tasks too, so the caller need not be passed along.
CALLER: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def note(text: str, **fields: object) -> None:
    """Write a line: what happened, to what, and who requested it. Empty fields are left out."""
    caller = CALLER.get()
    who = {"peer": caller.peer, "identity": caller.identity} if caller else {}
    log.info("%s", text, extra={name: value for name, value in {**fields, **who}.items() if value != ""})
