"""How a conversation ends: what is made beforehand."""

import pytest

from answerback.core.actions import Close, CloseReason
from answerback.core.ending import CLOSES, LINGER_BYTES, LINGER_SECONDS


@pytest.mark.parametrize("reason", CloseReason)
def test_every_reason_has_its_close(reason: CloseReason) -> None:
    assert CLOSES[reason] == (Close(reason),)


def test_a_close_in_order_waits_as_the_documents_say() -> None:
    assert (LINGER_SECONDS, LINGER_BYTES) == (2.0, 1_048_576)


def test_reasons_keep_their_numbers_for_workers_of_another_version_read_them() -> None:
    """Each is a place in the shared counters; a new one goes to the end."""
    labels = (
        "peer_eof server_close peer_reset server_reset idle_timeout request_timeout write_timeout max_lifetime "
        "request_too_large drain aborted internal_error peer_lost worker_crashed malformed_request reply_too_large"
    )
    assert [reason.label for reason in CloseReason][:16] == labels.split()
    assert [int(reason) for reason in CloseReason] == list(range(len(CloseReason)))
