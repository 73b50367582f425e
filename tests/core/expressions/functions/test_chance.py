import re

import pytest

from answerback.core.expressions.functions import chance
from tests.core.turns import MadeUp

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_uuid_has_the_version_and_the_variant_of_random_ones() -> None:
    drawn = [chance.uuid(MadeUp(seed=seed)) for seed in range(200)]
    assert [each for each in drawn if not UUID.fullmatch(each)] == []
    assert len(set(drawn)) == 200


@pytest.mark.parametrize("at", [place for place in range(36) if place not in {8, 13, 14, 18, 19, 23}])
def test_each_other_digit_of_a_uuid_is_random(at: int) -> None:
    assert len({chance.uuid(MadeUp(seed=seed))[at] for seed in range(400)}) == 16
