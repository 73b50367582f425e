"""The time at which a fault ends: its bounds, and the advice about one that has passed."""

from google.protobuf.timestamp_pb2 import Timestamp

from answerback.document.document import load
from answerback.language.check import check
from answerback.language.lint import warnings

TEXT = "listeners: [{name: a, address: '127.0.0.1:1', rules: [{do: [echo]}], faults: [{expire_time: TIME, drop: {}}]}]"


def test_time_that_only_the_api_can_give_is_rejected() -> None:
    config = load(TEXT.replace("TIME", "2099-01-01T00:00:00Z")).config
    assert check(config, {}) == []
    config.listeners[0].faults[0].expire_time.CopyFrom(Timestamp(seconds=1 << 40))
    (problem,) = check(config, {})
    assert (problem.path, problem.message) == (
        "listeners[0].faults[0].expire_time",
        "is not a time of the years 1 to 9999",
    )


def test_fault_whose_time_has_passed_is_warned_of() -> None:
    assert warnings(load(TEXT.replace("TIME", "2099-01-01T00:00:00Z")).config, []) == []
    (warning,) = warnings(load(TEXT.replace("TIME", "2020-01-01T00:00:00Z")).config, [])
    assert warning.message == "never applies: its expire_time 2020-01-01T00:00:00Z has passed"
