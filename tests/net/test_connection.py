from math import inf

import pytest

from answerback.net.connection import first_look


@pytest.mark.parametrize("time", [0.0, 0.01, 1.0, 1.06, 1.0625, 123456.7])
def test_first_look_is_at_the_next_sixteenth_of_a_second(time: float) -> None:
    look = first_look(time)
    assert time < look <= time + 1 / 16
    assert (look * 16).is_integer()
    assert first_look(look - 1 / 1024) is look, "connections of one moment share the number"


def test_without_a_limit_there_is_no_first_look() -> None:
    assert first_look(inf) == inf
