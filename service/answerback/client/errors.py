"""What a failed call raises, and how a gRPC status becomes one of these."""

# Rule: a caller needs no grpc to handle an error: code, reason, message and problems are plain values.

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from answerback.language.problems import Problem

DETAILS: Final = "grpc-status-details-bin"  # the trailer with google.rpc.Status
CONFIG_REJECTED: Final = "CONFIG_REJECTED"
OK: Final = "OK"


class Error(Exception):
    """A call failed. Its text says what, where, and what to do."""

    def __init__(self, message: str, code: str = "UNKNOWN", reason: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.details = message
        """The server's own words, without its address."""
        self.code = code
        """The name of gRPC's status code: `NOT_FOUND`."""
        self.reason = reason
        """The stable name of what happened: `NO_SUCH_LISTENER`. Empty if the answer is not the server's own."""
        self.problems = tuple(problems)
        """The problems of the request, by field; empty if the request is not the cause."""


class InvalidArgument(Error, ValueError):
    """A value of the call is not valid: see `problems`."""


class ConfigRejected(InvalidArgument):
    """A configuration is not valid, and nothing of it has taken effect. `problems` has every reason."""

    def __init__(self, message: str, problems: Sequence[Problem], total: int = 0) -> None:
        super().__init__(message, "INVALID_ARGUMENT", CONFIG_REJECTED, problems)
        self.total = max(total, len(problems))
        """The number of problems; a status has room for only some of them."""


class NotFound(Error, LookupError):
    """There is no listener, revision, rule or fault of that name or number."""


class AlreadyExists(Error):
    """There is a listener of that name."""


class Aborted(Error):
    """Another change came first (`ETAG_MISMATCH`), or a restart is in progress (`RESTART_IN_PROGRESS`)."""


class OutOfRange(Error):
    """An etag or page token is not of this history."""


class Unavailable(Error, ConnectionError):
    """No server answered, or it is shutting down, or it could not make the change. `reason` tells which."""


class DeadlineExceeded(Error, TimeoutError):
    """The server did not answer in time; a change may still have been made."""


class Unauthenticated(Error):
    """The server requires a token or a client certificate, and this is none of its own."""


class PermissionDenied(Error):
    """The token allows only read access."""


class ResourceExhausted(Error):
    """The server has no room for it: revisions, counters, calls."""


class Unimplemented(Error):
    """The server is not Answerback, or another version, or does not have this enabled."""


KINDS: Final[dict[str, type[Error]]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "ABORTED": Aborted,
    "OUT_OF_RANGE": OutOfRange,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "RESOURCE_EXHAUSTED": ResourceExhausted,
    "UNIMPLEMENTED": Unimplemented,
}


def rejected(problems: Sequence[Problem]) -> ConfigRejected:
    """Return the error for problems that were found before a call, or all problems after it."""
    return ConfigRejected("configuration rejected: " + "; ".join(map(str, problems)), problems)


def failure(call: Any, server: str) -> Error:
    """Return the error for a failed call, blocking or not: both have a code, details and trailing metadata."""
    code, details = call.code().name, call.details() or ""
    info, problems = _details(call)
    text = f"{server}: {details}"
    if code == "UNAVAILABLE" and not info.reason:
        text = f"no Answerback server at {text}"
    if info.reason == CONFIG_REJECTED:
        total = info.metadata.get("total", "")
        error: Error = ConfigRejected(text, problems, int(total) if total.isdecimal() else 0)
    else:
        error = KINDS.get(code, Error)(text, code, info.reason, problems)
    error.details = details
    return error


@contextmanager
def answered() -> Iterator[None]:
    """Take any answer to a call for a connection, errors too. Raises DeadlineExceeded if there is none."""
    try:
        yield
    except DeadlineExceeded:
        raise
    except Error:
        return


def _details(call: Any) -> tuple[ErrorInfo, list[Problem]]:
    """Return what a status says beside its code; nothing if there is no status, or if it cannot be read."""
    info, bad = ErrorInfo(), BadRequest()
    trailing = next((value for name, value in call.trailing_metadata() or () if name == DETAILS), None)
    try:
        status = Status.FromString(trailing or b"")
        for detail in status.details:
            detail.Unpack(info)
            detail.Unpack(bad)
    except DecodeError:
        return ErrorInfo(), []
    return info, [Problem(violation.field, violation.description) for violation in bad.field_violations]
