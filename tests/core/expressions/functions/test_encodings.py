"""Base64 and hexadecimal digits: both ways, and their bounds."""

import pytest

from answerback.core.expressions import MAX_OUTPUT, EvaluationError, TooLongError
from answerback.core.expressions.functions import encodings


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1000])
def test_base64_is_decoded_to_what_was_encoded(size: int) -> None:
    data = bytes(number % 256 for number in range(size))
    assert encodings.from_base64(encodings.to_base64(data)) == data


@pytest.mark.parametrize("data", [b"YQ", b"YQ=", b"Y Q==", b"YQ==\n", b"Y-==", b"="])
def test_what_is_not_base64_is_rejected(data: bytes) -> None:
    with pytest.raises(EvaluationError, match="unbase64: not base64"):
        encodings.from_base64(data)


def test_base64_makes_no_more_than_the_bound() -> None:
    most = MAX_OUTPUT // 4 * 3
    assert len(encodings.to_base64(bytes(most))) == MAX_OUTPUT
    with pytest.raises(TooLongError):
        encodings.to_base64(bytes(most + 1))


def test_base64_is_decoded_up_to_the_bound() -> None:
    groups = MAX_OUTPUT // 3
    assert len(encodings.from_base64(b"AAAA" * groups)) == 3 * groups
    with pytest.raises(TooLongError):
        encodings.from_base64(b"AAAA" * (groups + 1))
