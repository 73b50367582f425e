"""The table of exceptions and the statuses they become.

Statuses follow google.rpc (AIP-193): a code, a message for people, and for programs one ErrorInfo, whose `reason` is
stable, and a BadRequest if the request is at fault.
"""

# Rule: an exception that is not in the table is a fault of the server: INTERNAL, its text in the log alone.
# Rule: a status fits BUDGET on the wire; the number of omitted problems is in the ErrorInfo.

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from answerback.control.authorisation import PermissionDenied, Unauthenticated
from answerback.control.limits import TooManyBytes, TooManyCalls
from answerback.control.receiving import MalformedRequest, RequestUnfinished, TooManyParts
from answerback.language.editing import BadMask, ListenerExists, NoSuchListener
from answerback.language.fault_editing import FaultExists, NoSuchFault
from answerback.language.parts import MAX_PARTS
from answerback.language.problems import InvalidConfig, Problem
from answerback.shared.counters import CountersExhausted
from answerback.shared.journal.ring_reader import Moving
from answerback.supervisor import (
    ChangeFailed,
    EtagMismatch,
    NoSuchCounter,
    NoSuchSignal,
    NotKept,
    NotOfThisHistory,
    NotRecorded,
    RestartInProgress,
    Stopping,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
)

DOMAIN: Final = "answerback"
# Bytes of percent-encoded message and base64 details. Java's clients reject more than 8 KiB of headers in all, grpc's
# core reports RESOURCE_EXHAUSTED instead.
BUDGET: Final = 6 * 1024
PATH_LENGTH: Final = 256  # characters of a problem's path, and
TEXT_LENGTH: Final = 512  # of its text: at four bytes a character, one problem still fits
MESSAGE_BYTES: Final = 1024  # of the message, percent-encoded


class CommentTooLong(Exception):
    """The comment of a change exceeds the API's limit."""


class BadArgument(Exception):
    """A field of a request has an invalid value."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.problem = Problem(field, message)


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of a status: a code, a stable reason, a message, and the violations, if the request is at fault."""

    code: StatusCode
    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    violations: Sequence[Problem] = ()


def _invalid_config(error: InvalidConfig) -> Answer:
    first, total = error.problems[0], len(error.problems)
    others = f" (and {total - 1} more: ValidateConfig lists all)" if total > 1 else ""
    text = f"configuration rejected: {shortened(first.path, PATH_LENGTH)}: {shortened(first.message)}{others}"
    metadata = {"total": str(total)}
    return Answer(StatusCode.INVALID_ARGUMENT, "CONFIG_REJECTED", text, metadata, error.problems)


def _comment_too_long(error: CommentTooLong) -> Answer:
    problem = Problem("comment", str(error))
    return Answer(StatusCode.INVALID_ARGUMENT, "COMMENT_TOO_LONG", f"comment: {error}", {}, (problem,))


def _bad_argument(error: BadArgument) -> Answer:
    return Answer(StatusCode.INVALID_ARGUMENT, "BAD_ARGUMENT", str(error), {}, (error.problem,))


def _bad_mask(error: BadMask) -> Answer:
    return Answer(StatusCode.INVALID_ARGUMENT, "BAD_UPDATE_MASK", shortened(str(error)), {}, error.problems)


def _no_such_listener(error: NoSuchListener) -> Answer:
    return Answer(StatusCode.NOT_FOUND, "NO_SUCH_LISTENER", str(error), {"listener": shortened(error.name, 64)})


def _listener_exists(error: ListenerExists) -> Answer:
    return Answer(StatusCode.ALREADY_EXISTS, "LISTENER_EXISTS", str(error), {"listener": shortened(error.name, 64)})


def _no_such_fault(error: NoSuchFault) -> Answer:
    return Answer(StatusCode.NOT_FOUND, "NO_SUCH_FAULT", str(error), {"fault": shortened(error.name, 64)})


def _fault_exists(error: FaultExists) -> Answer:
    return Answer(StatusCode.ALREADY_EXISTS, "FAULT_EXISTS", str(error), {"fault": shortened(error.name, 64)})


def _no_such_signal(error: NoSuchSignal) -> Answer:
    return Answer(StatusCode.NOT_FOUND, "NO_SUCH_SIGNAL", str(error), {"signal": shortened(error.name, 64)})


def _no_such_counter(error: NoSuchCounter) -> Answer:
    return Answer(StatusCode.NOT_FOUND, "NO_SUCH_COUNTER", str(error))


def _restart_in_progress(error: RestartInProgress) -> Answer:
    return Answer(StatusCode.ABORTED, "RESTART_IN_PROGRESS", str(error))


def _etag_mismatch(error: EtagMismatch) -> Answer:
    return Answer(StatusCode.ABORTED, "ETAG_MISMATCH", str(error))


def _change_failed(error: ChangeFailed) -> Answer:
    return Answer(StatusCode.UNAVAILABLE, "CHANGE_FAILED", str(error))


def _not_recorded(error: NotRecorded) -> Answer:
    """Return the answer for a store's failure, and its meaning for the change."""
    if not isinstance(error.cause, StoreFailed):
        return _change_failed(error)
    return replace(_store_failed(error.cause), message=str(error))


def _store_failed(error: StoreFailed) -> Answer:
    match error:
        case StoreFull():
            return Answer(StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", str(error))
        case StoreCorrupt():
            return Answer(StatusCode.DATA_LOSS, "STORE_CORRUPT", str(error))
    return Answer(StatusCode.UNAVAILABLE, "STORE_FAILED", str(error))


def _not_kept(error: NotKept) -> Answer:
    return Answer(StatusCode.NOT_FOUND, "REVISION_NOT_KEPT", str(error))


def _not_of_this_history(error: NotOfThisHistory) -> Answer:
    return Answer(StatusCode.OUT_OF_RANGE, "STALE_PAGE_TOKEN", str(error))


def _stopping(error: Stopping) -> Answer:
    return Answer(StatusCode.UNAVAILABLE, "STOPPING", str(error) or "the server is shutting down")


def _journal_busy(_: Moving) -> Answer:
    return Answer(StatusCode.UNAVAILABLE, "JOURNAL_BUSY", "the journal is being resized; try again")


def _counters_exhausted(error: CountersExhausted) -> Answer:
    return Answer(StatusCode.RESOURCE_EXHAUSTED, "COUNTERS_EXHAUSTED", str(error))


def _unauthenticated(error: Unauthenticated) -> Answer:
    return Answer(StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", str(error))


def _permission_denied(error: PermissionDenied) -> Answer:
    return Answer(StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", str(error))


def _too_many_calls(error: TooManyCalls) -> Answer:
    return Answer(StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", str(error))


def _too_many_bytes(error: TooManyBytes) -> Answer:
    return Answer(StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_BYTES", str(error))


def _request_unfinished(error: RequestUnfinished) -> Answer:
    return Answer(StatusCode.DEADLINE_EXCEEDED, "REQUEST_UNFINISHED", str(error))


def _too_many_parts(error: TooManyParts) -> Answer:
    return Answer(StatusCode.INVALID_ARGUMENT, "TOO_MANY_PARTS", str(error), {"most": str(MAX_PARTS)})


def _malformed_request(error: MalformedRequest) -> Answer:
    return Answer(StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST", str(error))


TABLE: Final[dict[type[Exception], Callable[[Any], Answer]]] = {
    InvalidConfig: _invalid_config,
    CommentTooLong: _comment_too_long,
    BadArgument: _bad_argument,
    BadMask: _bad_mask,
    NoSuchListener: _no_such_listener,
    ListenerExists: _listener_exists,
    NoSuchFault: _no_such_fault,
    FaultExists: _fault_exists,
    NoSuchCounter: _no_such_counter,
    NoSuchSignal: _no_such_signal,
    RestartInProgress: _restart_in_progress,
    EtagMismatch: _etag_mismatch,
    ChangeFailed: _change_failed,
    NotRecorded: _not_recorded,
    StoreFailed: _store_failed,
    NotKept: _not_kept,
    NotOfThisHistory: _not_of_this_history,
    Stopping: _stopping,
    CountersExhausted: _counters_exhausted,
    Moving: _journal_busy,
    Unauthenticated: _unauthenticated,
    PermissionDenied: _permission_denied,
    TooManyCalls: _too_many_calls,
    TooManyBytes: _too_many_bytes,
    RequestUnfinished: _request_unfinished,
    TooManyParts: _too_many_parts,
    MalformedRequest: _malformed_request,
}


def status_of(error: Exception) -> Status | None:
    """Return the status of an exception, cut to fit; None if it is not in the table."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return _status(TABLE[kind](error))
    return None


def internal(incident: str) -> Status:
    """Return the status of an internal error. `incident` is in the log beside the traceback."""
    return _status(Answer(StatusCode.INTERNAL, "INTERNAL", f"internal error {incident}", {"incident": incident}))


def shortened(text: str, length: int = TEXT_LENGTH) -> str:
    """Cut the text to `length` characters, with an ellipsis at the end."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _status(answer: Answer) -> Status:
    """Build the status; violations are added in order until the next would not fit."""
    fitting: list[BadRequest.FieldViolation] = []
    status = _packed(answer, fitting)
    for violation in _violations(answer.violations):
        longer = _packed(answer, [*fitting, violation])
        if _size(longer) > BUDGET:
            break
        fitting.append(violation)
        status = longer
    return status


def _violations(problems: Iterable[Problem]) -> Iterable[BadRequest.FieldViolation]:
    for problem in problems:
        path, text = shortened(problem.path, PATH_LENGTH), shortened(problem.message)
        yield BadRequest.FieldViolation(field=path, description=text)


def _packed(answer: Answer, violations: Sequence[BadRequest.FieldViolation]) -> Status:
    code: int = answer.code.value[0]
    status = Status(code=code, message=_headline(answer.message))
    _add(status, ErrorInfo(reason=answer.reason, domain=DOMAIN, metadata=answer.metadata))
    if violations:
        _add(status, BadRequest(field_violations=violations))
    return status


def _add(status: Status, detail: ErrorInfo | BadRequest) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


def _headline(text: str) -> str:
    while len(quote(text)) > MESSAGE_BYTES:
        text = shortened(text, len(text) * 3 // 4)
    return text


def _size(status: Status) -> int:
    """Return the size in bytes on the wire, in the trailers `grpc-message` and `grpc-status-details-bin`."""
    return len(quote(status.message)) + -(-status.ByteSize() // 3) * 4
