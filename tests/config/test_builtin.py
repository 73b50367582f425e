from answerback.config import BUILT_IN
from answerback.config.checking import check
from answerback.config.document import load
from tests.config.configurations import HELLO


def test_it_is_the_hello_conversation() -> None:
    assert load(HELLO).config == BUILT_IN
    assert check(BUILT_IN, {}) == []
