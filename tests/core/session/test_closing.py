"""The end of a conversation: its constants."""

import pytest

from answerback.core.actions import Close, CloseReason
from answerback.core.session.closing import CLOSES, LINGER_BYTES, LINGER_SECONDS


@pytest.mark.parametrize("reason", CloseReason)
def test_close_action_exists_for_each_reason(reason: CloseReason) -> None:
    assert CLOSES[reason] == (Close(reason),)


def test_lingering_limits_are_those_documented() -> None:
    assert (LINGER_SECONDS, LINGER_BYTES) == (2.0, 1_048_576)


def test_close_reasons_keep_their_numbers_across_versions() -> None:
    """Each is a place in the shared counters; a new one goes to the end."""
    labels = (
        "peer_eof server_close peer_reset server_reset idle_timeout request_timeout write_timeout max_lifetime "
        "request_too_large drain aborted internal_error peer_lost worker_crashed malformed_request reply_too_large"
    )
    assert [reason.label for reason in CloseReason][:16] == labels.split()
    assert [int(reason) for reason in CloseReason] == list(range(len(CloseReason)))
