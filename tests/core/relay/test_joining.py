from answerback.core.actions import Action, Close, CloseReason, Forward, Send
from answerback.core.relay.joining import MAX_JOINED, joined

END = Close(CloseReason.SERVER_CLOSE)


def test_bytes_for_the_same_side_become_one_action() -> None:
    actions: list[Action] = [Send(b"a"), Send(b"b"), Forward(b"c"), Forward(b"d"), Send(b"e"), END]
    assert list(joined(actions)) == [
        Send(b"ab"),
        Forward(b"cd"),
        Send(b"e"),
        END,
    ]


def test_large_payload_is_not_copied() -> None:
    large = memoryview(bytes(MAX_JOINED + 1))
    before, after = joined([Send(b"a"), Send(large)])
    assert before == Send(b"a")
    assert isinstance(after, Send)
    assert after.data is large


def test_no_actions_are_none() -> None:
    assert list(joined(())) == []
