"""What became of configurations."""

import pytest

from answerback.config import Problem, Refused
from answerback.supervisor.outcomes import ChangeFailed, EtagMismatch
from answerback.supervisor.record import Record
from answerback.supervisor.revisions import Revision
from tests.supervisor.supervising import config


def test_what_was_taken() -> None:
    record = Record()
    record.took(Revision(1, "a-1", config(), origin="file"))
    revision = Revision(2, "a-2", config(), origin="api", comment="why")
    record.took(revision)
    assert record.applied == 2
    assert record.last_applied is not None
    taken = record.last_applied
    assert (taken.time, taken.origin, taken.comment) == (revision.time, "api", "why")


@pytest.mark.parametrize(
    "error, problem",
    [
        (Refused([Problem("listeners", "why")]), Problem("listeners", "why")),
        (ChangeFailed("worker 0 died"), Problem("", "worker 0 died")),
    ],
)
def test_what_was_refused(error: Exception, problem: Problem) -> None:
    record = Record()
    with pytest.raises(type(error)), record.refusals("api", "comment"):
        raise error
    assert record.refused == 1
    assert record.last_refused is not None
    refused = record.last_refused
    assert (refused.origin, refused.comment, list(refused.problems)) == ("api", "comment", [problem])


def test_other_failures_refuse_no_configuration() -> None:
    record = Record()
    with pytest.raises(EtagMismatch), record.refusals("api", ""):
        raise EtagMismatch("a-1")
    assert (record.refused, record.last_refused) == (0, None)
