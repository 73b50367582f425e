"""Exceptions, and the status that a client gets for them."""

import inspect
import re

import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from answerback.control import errors
from answerback.control.authorisation import PermissionDenied, Unauthenticated
from answerback.control.limits import Kind, TooManyBytes, TooManyCalls
from answerback.control.receiving import MalformedRequest, RequestUnfinished, TooManyParts
from answerback.language.editing import BadMask, ListenerExists, NoSuchListener
from answerback.language.fault_editing import FaultExists, NoSuchFault
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
from answerback.supervisor.errors import Conflict
from tools import api_reference


def status_of(error: Exception) -> Status:
    status = errors.status_of(error)
    assert status is not None
    return status


def info(status: Status) -> ErrorInfo:
    found = ErrorInfo()
    assert status.details[0].Unpack(found)
    return found


def violations(status: Status) -> list[tuple[str, str]]:
    found = BadRequest()
    assert status.details[1].Unpack(found)
    return [(one.field, one.description) for one in found.field_violations]


@pytest.mark.parametrize(
    "error, code, reason, message",
    [
        (
            InvalidConfig([Problem("a", "b")]),
            StatusCode.INVALID_ARGUMENT,
            "CONFIG_REJECTED",
            "configuration rejected: a: b",
        ),
        (errors.CommentTooLong("9"), StatusCode.INVALID_ARGUMENT, "COMMENT_TOO_LONG", "comment: 9"),
        (errors.BadArgument("over", "no"), StatusCode.INVALID_ARGUMENT, "BAD_ARGUMENT", "over: no"),
        (BadMask([Problem("a", "b")]), StatusCode.INVALID_ARGUMENT, "BAD_UPDATE_MASK", "a: b"),
        (NoSuchListener("a"), StatusCode.NOT_FOUND, "NO_SUCH_LISTENER", "no listener 'a'"),
        (NoSuchFault("a", "b"), StatusCode.NOT_FOUND, "NO_SUCH_FAULT", "listener 'a' has no fault 'b'"),
        (FaultExists("a", "b"), StatusCode.ALREADY_EXISTS, "FAULT_EXISTS", "listener 'a' has a fault 'b' already"),
        (ListenerExists("a"), StatusCode.ALREADY_EXISTS, "LISTENER_EXISTS", "listener 'a' already exists"),
        (
            NoSuchSignal("go"),
            StatusCode.NOT_FOUND,
            "NO_SUCH_SIGNAL",
            "no step `wait` or `signal` of the active configuration names 'go'",
        ),
        (NoSuchCounter("a", "rule", "b"), StatusCode.NOT_FOUND, "NO_SUCH_COUNTER", "listener 'a' has no rule 'b'"),
        (RestartInProgress(), StatusCode.ABORTED, "RESTART_IN_PROGRESS", str(RestartInProgress())),
        (EtagMismatch("abc-2"), StatusCode.ABORTED, "ETAG_MISMATCH", str(EtagMismatch("abc-2"))),
        (ChangeFailed("worker 1 died"), StatusCode.UNAVAILABLE, "CHANGE_FAILED", "worker 1 died; nothing has changed"),
        (NotRecorded(Conflict("2")), StatusCode.UNAVAILABLE, "CHANGE_FAILED", str(NotRecorded(Conflict("2")))),
        (StoreFailed("locked"), StatusCode.UNAVAILABLE, "STORE_FAILED", "locked"),
        (NotKept("3"), StatusCode.NOT_FOUND, "REVISION_NOT_KEPT", "3"),
        (NotOfThisHistory("4"), StatusCode.OUT_OF_RANGE, "STALE_PAGE_TOKEN", "4"),
        (Stopping(), StatusCode.UNAVAILABLE, "STOPPING", str(Stopping()) or "the server is shutting down"),
        (Moving(), StatusCode.UNAVAILABLE, "JOURNAL_BUSY", "the journal is being resized; try again"),
        (CountersExhausted("full"), StatusCode.RESOURCE_EXHAUSTED, "COUNTERS_EXHAUSTED", "full"),
        (Unauthenticated("who?"), StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "who?"),
        (
            PermissionDenied("/a.B/C"),
            StatusCode.PERMISSION_DENIED,
            "PERMISSION_DENIED",
            str(PermissionDenied("/a.B/C")),
        ),
        (TooManyCalls(Kind.READ, 2), StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", str(TooManyCalls(Kind.READ, 2))),
        (TooManyBytes(Kind.READ, 9), StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_BYTES", str(TooManyBytes(Kind.READ, 9))),
        (RequestUnfinished("late"), StatusCode.DEADLINE_EXCEEDED, "REQUEST_UNFINISHED", "late"),
        (TooManyParts(), StatusCode.INVALID_ARGUMENT, "TOO_MANY_PARTS", str(TooManyParts())),
        (
            MalformedRequest("/a.B/C"),
            StatusCode.INVALID_ARGUMENT,
            "MALFORMED_REQUEST",
            "these bytes are not a request of a.B/C",
        ),
    ],
)
def test_exception_has_its_grpc_status_and_reason(
    error: Exception, code: StatusCode, reason: str, message: str
) -> None:
    status = status_of(error)
    assert (status.code, status.message) == (code.value[0], message)
    assert (info(status).reason, info(status).domain) == (reason, "answerback")


@pytest.mark.parametrize(
    "failure, code, reason",
    [
        (StoreFull("no room"), StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL"),
        (StoreCorrupt("damaged"), StatusCode.DATA_LOSS, "STORE_CORRUPT"),
        (StoreFailed("gone"), StatusCode.UNAVAILABLE, "STORE_FAILED"),
    ],
)
def test_store_failure_has_the_same_status_for_reads_and_changes(
    failure: StoreFailed, code: StatusCode, reason: str
) -> None:
    for error in (failure, NotRecorded(failure)):
        status = status_of(error)
        assert (status.code, info(status).reason, status.message) == (code.value[0], reason, str(error))


def test_every_exception_of_the_table_is_tested() -> None:
    (mark,) = test_exception_has_its_grpc_status_and_reason.pytestmark  # type: ignore[attr-defined]
    assert {type(error) for error, *_ in mark.args[1]} == set(errors.TABLE)


def test_error_derived_from_a_known_one_has_its_status() -> None:
    class Worse(ChangeFailed):
        pass

    assert status_of(Worse("x")).code == StatusCode.UNAVAILABLE.value[0]


def test_unknown_error_is_internal_with_an_incident() -> None:
    assert errors.status_of(KeyError("secret")) is None
    status = errors.internal("0a1b")
    assert (status.code, status.message) == (StatusCode.INTERNAL.value[0], "internal error 0a1b")
    assert info(status).metadata == {"incident": "0a1b"}


def test_problems_of_a_rejection_are_sent_as_field_violations() -> None:
    status = status_of(InvalidConfig([Problem("listeners[0].name", "is missing"), Problem("listeners[1]", "no", 3, 4)]))
    assert violations(status) == [("listeners[0].name", "is missing"), ("listeners[1]", "no")]
    assert info(status).metadata == {"total": "2"}
    assert status.message == (
        "configuration rejected: listeners[0].name: is missing (and 1 more: ValidateConfig lists all)"
    )


@pytest.mark.parametrize("text", ["x" * 5000, "\N{SNOWMAN}" * 5000, "%\n" * 5000])
def test_status_with_many_long_problems_stays_within_its_budget(text: str) -> None:
    status = status_of(InvalidConfig([Problem(f"listeners[{n}].{text}", text) for n in range(1000)]))
    assert errors._size(status) <= errors.BUDGET
    assert info(status).metadata == {"total": "1000"}
    assert 1 <= len(violations(status)) < 1000


def test_many_problems_fill_the_status_up_to_its_limit() -> None:
    status = status_of(InvalidConfig([Problem(f"listeners[{n}].name", "is missing") for n in range(1000)]))
    assert errors.BUDGET - 100 < errors._size(status) <= errors.BUDGET
    fields = [field for field, _ in violations(status)]
    assert fields == [f"listeners[{n}].name" for n in range(len(fields))]


def test_long_text_is_shortened_with_an_ellipsis() -> None:
    assert errors.shortened("abcd", 4) == "abcd"
    assert errors.shortened("abcde", 4) == "abc…"


def test_api_reference_lists_every_error_reason_with_its_code() -> None:
    written = set(re.findall(r'StatusCode\.(\w+), "(\w+)"', inspect.getsource(errors)))
    assert len({reason for _, reason in written}) >= len(errors.TABLE) - 1  # NotRecorded is answered as its cause
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| .+\. \|$", api_reference.HEAD, re.MULTILINE)
    assert {(code, reason) for reason, code in rows} == written
