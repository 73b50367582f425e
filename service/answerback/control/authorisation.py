"""Authorisation: the roles of tokens, and the role that each method needs."""

# Rule: closed by default: a method that is not in the table needs full access.
# Rule: the reason why a token was rejected is not reported, only that it is not valid.

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from answerback.control.tokens import TokenFile


class Role(Enum):
    """The permissions of a caller."""

    READ = "read"
    """May read everything and change nothing."""
    FULL = "full"


READS: Final[Mapping[str, Sequence[str]]] = {
    "answerback.v1.ConfigService": (
        "GetConfig",
        "ValidateConfig",
        "WatchConfig",
        "ListRevisions",
        "GetRevision",
    ),
    "answerback.v1.ConnectionService": ("ListConnections",),
    "answerback.v1.ListenerService": ("ListListeners", "GetListener"),
    "answerback.v1.OperationsService": ("GetStatus",),
    "grpc.health.v1.Health": ("Check", "Watch", "List"),
    "grpc.reflection.v1.ServerReflection": ("ServerReflectionInfo",),
    "grpc.reflection.v1alpha.ServerReflection": ("ServerReflectionInfo",),
}
CHANGES: Final[Mapping[str, Sequence[str]]] = {
    "answerback.v1.ConfigService": ("UpdateConfig", "RollbackConfig"),
    "answerback.v1.ConnectionService": ("CloseConnections",),
    "answerback.v1.JournalService": ("ClearExchanges",),
    "answerback.v1.ListenerService": (
        "CreateListener",
        "UpdateListener",
        "DeleteListener",
        "AddFault",
        "RemoveFault",
    ),
    "answerback.v1.OperationsService": ("Drain", "Resume", "RestartWorkers", "ResetCounters", "Signal"),
}
JOURNAL: Final[Mapping[str, Sequence[str]]] = {
    "answerback.v1.JournalService": (
        "ListExchanges",
        "WatchExchanges",
        "WaitForExchanges",
        "VerifyExchanges",
        "ListEvents",
        "CreateMark",
    ),
}
"""Methods that read what clients sent, which may be secret."""


def _paths(table: Mapping[str, Sequence[str]]) -> frozenset[str]:
    return frozenset(f"/{service}/{method}" for service, methods in table.items() for method in methods)


JOURNAL_METHODS: Final = _paths(JOURNAL)
READ_METHODS: Final = _paths(READS) | JOURNAL_METHODS
"""Methods that change nothing."""

AUTHORIZATION: Final = "authorization"  # RFC 6750, section 2.1; gRPC's keys are in lower case
SCHEME: Final = "bearer"


class Unauthenticated(Exception):
    """The call has no valid token."""


class PermissionDenied(Exception):
    """The token has read access only."""

    def __init__(self, method: str) -> None:
        name = method.rpartition("/")[2]
        why = "reads payloads: see `serve --read-token-journal`" if method in JOURNAL_METHODS else "changes something"
        super().__init__(f"the token allows only read access, and {name} {why}")


@dataclass(frozen=True, slots=True)
class Permit:
    """The identity and role that a token gives."""

    role: Role
    identity: str
    """`token` or `read token`; empty if no token is required."""
    journal: bool = True
    """Whether it may read the journal."""


ANYBODY: Final = Permit(Role.FULL, "")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The configured tokens: none, one, or one for each role."""

    full: TokenFile | None = None
    read: TokenFile | None = None
    read_journal: bool = False
    """Whether the read token may read the journal."""

    def authenticate(self, metadata: Iterable[tuple[str, str | bytes]]) -> Permit:
        """Return the permit of a call with this metadata. Raises Unauthenticated."""
        if self.full is None and self.read is None:
            return ANYBODY
        token = _bearer(metadata)
        # Always compare both: the time must not reveal which of them was nearly right.
        full, read = (kept is not None and kept.fits(token) for kept in (self.full, self.read))
        if full:
            return Permit(Role.FULL, "token")
        if read:
            return Permit(Role.READ, "read token", self.read_journal)
        raise Unauthenticated("the token is unknown or has been replaced")


def authorise(permit: Permit, method: str) -> None:
    """Check that a method (`/package.Service/Method`) may be called. Raises PermissionDenied."""
    allowed = method in READ_METHODS and (permit.journal or method not in JOURNAL_METHODS)
    if permit.role is Role.READ and not allowed:
        raise PermissionDenied(method)


def _bearer(metadata: Iterable[tuple[str, str | bytes]]) -> bytes:
    """Return the token of a call. Raises Unauthenticated if there is not exactly one."""
    values = [value for key, value in metadata if key == AUTHORIZATION]
    if not values:
        raise Unauthenticated("a token is required: metadata `authorization: Bearer TOKEN`")
    scheme, _, token = _text(values[0]).partition(" ")
    if len(values) > 1 or scheme.lower() != SCHEME or not token:
        raise Unauthenticated("the metadata `authorization` must be one `Bearer TOKEN`")
    return token.strip().encode(errors="replace")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
