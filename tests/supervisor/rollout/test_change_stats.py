"""Statistics of applied and rejected configurations."""

import logging

import pytest

from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor.errors import ChangeFailed, EtagMismatch
from answerback.supervisor.revisions.store import Revision
from answerback.supervisor.rollout.change_stats import ChangeStats
from tests.supervisor.supervising import config


def test_change_stats_record_an_applied_revision(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    record = ChangeStats()
    record.applied_revision(Revision(1, "a-1", config(), origin="file"), 2)
    revision = Revision(2, "a-2", config(), origin="api", comment="why")
    record.applied_revision(revision, 2)
    assert [(line.message, line.__dict__.get("comment")) for line in caplog.records] == [
        ("revision 1 is active", None),
        ("revision 2 is active", "why"),
    ]
    assert record.applied == 2
    assert record.last_applied is not None
    taken = record.last_applied
    assert (taken.time, taken.origin, taken.comment) == (revision.time, "api", "why")


@pytest.mark.parametrize(
    "error, problem",
    [
        (InvalidConfig([Problem("listeners", "why")]), Problem("listeners", "why")),
        (ChangeFailed("worker 0 died"), Problem("", "worker 0 died; nothing has changed")),
    ],
)
def test_change_stats_record_a_rejected_change(
    error: Exception, problem: Problem, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    record = ChangeStats()
    with pytest.raises(type(error)), record.recording_rejection("api", "comment"):
        raise error
    assert record.rejected == 1
    assert record.last_rejected is not None
    refused = record.last_rejected
    assert (refused.origin, refused.comment, list(refused.problems)) == ("api", "comment", [problem])
    (line,) = caplog.records
    assert line.message == "a change was rejected"
    assert (vars(line)["origin"], vars(line)["comment"], vars(line)["reason"]) == ("api", "comment", str(problem))


def test_change_stats_log_other_failures_without_a_rejection(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    record = ChangeStats()
    with pytest.raises(EtagMismatch), record.recording_rejection("api", ""):
        raise EtagMismatch("a-1")
    assert (record.rejected, record.last_rejected) == (0, None)
    (line,) = caplog.records
    assert vars(line)["reason"] == "another revision is active now; its etag is a-1"


def test_change_stats_log_the_first_of_several_problems(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(InvalidConfig), ChangeStats().recording_rejection("file", ""):
        raise InvalidConfig([Problem("a", "x", 1, 2), Problem("b", "y"), Problem("c", "z")])
    (line,) = caplog.records
    assert vars(line)["reason"] == "1:2: a: x (and 2 more)"
