from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from answerback.core.expressions.clock import DIRECTIVES, UnknownDirective, strftime
from tests.core.turns import MOMENT

# What the C library of this machine knows too, in the "C" locale that Python starts with for times.
SHARED = sorted(DIRECTIVES - {"s"})
moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(st.sampled_from(SHARED).map("%{}".format) | st.sampled_from(["-", "T", " "])), moments)
@example(["%" + name for name in SHARED], datetime(2024, 12, 30, 12, tzinfo=UTC))  # in the first week of 2025
@example(["%I %p"], datetime(2024, 2, 29, 0, tzinfo=UTC))
def test_clock_format_writes_the_same_as_datetime_strftime(parts: list[str], moment: datetime) -> None:
    form = "".join(parts)
    assert strftime(form)(moment) == moment.strftime(form).encode()


@given(moments)
def test_clock_format_s_writes_unix_seconds(moment: datetime) -> None:
    assert int(strftime("%s")(moment)) == int(moment.replace(microsecond=0).timestamp())


def test_clock_format_keeps_literal_text() -> None:
    assert strftime("à %H h, 100%%")(MOMENT) == "à 03 h, 100%".encode()


@pytest.mark.parametrize(
    "form, directive, at", [("%Y %Q", "%Q", 3), ("%", "%", 0), ("%%%c", "%c", 2), ("%-d", "%-", 0)]
)
def test_clock_format_with_unknown_directive_is_rejected(form: str, directive: str, at: int) -> None:
    with pytest.raises(UnknownDirective) as refused:
        strftime(form)
    assert (refused.value.directive, refused.value.position) == (directive, at)
