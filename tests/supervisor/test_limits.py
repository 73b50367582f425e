"""Exceptions that mean that a resource is exhausted."""

import errno

import pytest

from answerback.supervisor.limits import shortage


@pytest.mark.parametrize(
    "error, part",
    [
        (MemoryError(), "there is not enough memory"),
        (OSError(errno.EMFILE, "x"), "RLIMIT_NOFILE"),
        (OSError(errno.EAGAIN, "x"), "RLIMIT_NPROC"),
        (RuntimeError("can't start new thread"), "no thread can be started"),
    ],
)
def test_shortage_error_names_the_limit_to_raise(error: BaseException, part: str) -> None:
    text = shortage(error)
    assert text
    assert text.startswith("cannot start: ")
    assert part in text


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "x"), RuntimeError("x"), ValueError("can't start new thread"), KeyboardInterrupt()]
)
def test_other_exceptions_are_no_shortage(error: BaseException) -> None:
    assert shortage(error) is None
