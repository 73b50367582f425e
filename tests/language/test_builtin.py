from answerback.document.document import load
from answerback.language.builtin import BUILT_IN
from answerback.language.check import check
from tests.language.configurations import HELLO


def test_builtin_configuration_equals_the_hello_example() -> None:
    assert load(HELLO).config == BUILT_IN
    assert check(BUILT_IN, {}) == []
