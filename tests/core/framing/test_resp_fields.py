import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import Resp
from answerback.core.framing.resp_fields import MAX_ARGUMENTS, argument

SET = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n\r\n$1\r\n"


def test_arguments_of_an_array_are_its_bulk_strings() -> None:
    assert [argument(SET, at) for at in (0, 1, 2)] == [b"SET", b"", b"\r\n$1"]
    assert [argument(SET, at) for at in (-1, -2, -3)] == [b"\r\n$1", b"", b"SET"]


def test_arguments_of_an_inline_command_are_its_words() -> None:
    assert [argument(b"  get \t key\r\n", at) for at in (0, 1, -1, -2)] == [b"get", b"key", b"key", b"get"]


@pytest.mark.parametrize("request_", [SET, b"*0\r\n", b"*-1\r\n", b"a b c\n", b"\n", b"", b"*1\r\n$9\r\nab"])
@pytest.mark.parametrize("at", [3, 99, -4, -99])
def test_argument_that_is_not_there_is_an_error(request_: bytes, at: int) -> None:
    with pytest.raises(IndexError):
        argument(request_, at)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=10))
def test_arguments_are_found_again(given_: list[bytes]) -> None:
    request = b"*%d\r\n" % len(given_) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in given_)
    assert Resp().split(request, 0) == ([request], len(request))
    assert [argument(request, at) for at in range(len(given_))] == given_
    assert [argument(request, at - len(given_)) for at in range(len(given_))] == given_


def test_arguments_are_counted_to_a_bound() -> None:
    request = b"*%d\r\n" % (MAX_ARGUMENTS + 1) + b"$1\r\na\r\n" * MAX_ARGUMENTS
    assert argument(request, MAX_ARGUMENTS - 1) == argument(request, -MAX_ARGUMENTS) == b"a"
    for at in (MAX_ARGUMENTS, -1):
        with pytest.raises(IndexError):
            argument(request + b"$1\r\nb\r\n", at)


@given(st.binary(), st.integers(-3, 3))
def test_any_bytes_give_an_argument_or_none(request_: bytes, at: int) -> None:
    with contextlib.suppress(IndexError):
        assert isinstance(argument(request_, at), bytes)
