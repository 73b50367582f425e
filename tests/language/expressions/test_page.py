"""docs/reference/expressions.md: it is what the descriptions say, and every example makes what it says."""

import re
from dataclasses import replace

import pytest

from answerback.core.expressions import Type
from answerback.core.expressions.clock import DIRECTIVES
from answerback.language.captures import Captures
from answerback.language.expressions import ExpressionError, Scope, compile_template
from answerback.language.expressions.functions import FUNCTIONS
from answerback.language.expressions.functions.time import WORDS
from answerback.language.expressions.names import NAMES, OTHER_NAMES, REPLY
from answerback.language.expressions.operators import ARITHMETIC, ORDER, OTHERS, UNARY
from tests.core.turns import MadeUp, matched
from tools import expressions

PAGE = expressions.PAGE.read_text()
GIVEN = re.findall(r"`(.+?)`", " ".join(PAGE.split("The examples below use the request")[1].split()))
REQUEST, PATTERN, RULE, NAME, VALUE, STATE, *_ = GIVEN
OPERATORS = [*ARITHMETIC.values(), *UNARY.values(), *ORDER.values(), *OTHERS]
ROWS = [(each.example, each.makes) for each in (*NAMES.values(), *OTHER_NAMES)]
ROWS += [(each.example, each.makes) for each in OPERATORS]
ROWS += [(each.example, each.makes) for each in FUNCTIONS.values()]
ROWS += [(f"now('%{name}')", makes) for name, (_, makes) in WORDS.items()]
GIVEN_FIELDS = {"proxy_protocol", "tls", "upstream"}
SCOPE = Scope(captures=Captures(frozenset({"verb", "key", "size"}), 3), rule=RULE, listener_fields=GIVEN_FIELDS)


def turn() -> MadeUp:
    return matched(PATTERN, REQUEST.encode(), number=3, state=STATE, variables={NAME: VALUE.encode()})


def rendered(example: str) -> bytes:
    if example == NAMES[REPLY].example:
        context = turn()
        context.set_reply(b"+OK", b"+OK\r\n", REQUEST.encode(), 3)
        return compile_template("${" + example + "}", replace(SCOPE, of_reply=True)).render(context)
    return compile_template("${" + example + "}", SCOPE).render(turn())


@pytest.mark.parametrize("example, makes", ROWS, ids=[example for example, _ in ROWS])
def test_example_makes_what_the_page_says(example: str, makes: str) -> None:
    expected = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), makes).encode("latin-1")
    assert rendered(example) == expected
    cell = example.replace("|", "\\|")
    assert f"| `{cell}` | `{makes}` |" in PAGE


def test_page_is_what_is_committed() -> None:
    assert expressions.page() == PAGE, "run `make proto`"


def test_every_directive_is_described() -> None:
    assert set(WORDS) == DIRECTIVES


def test_every_function_has_a_runtime_and_a_sentence() -> None:
    for function in FUNCTIONS.values():
        assert (function.of is None) is not (function.prepare is None), function.name
        assert function.doc
        assert (function.prepare is not None) is any(each.literal for each in function.parameters), function.name
        assert isinstance(function.result, Type)


@pytest.mark.parametrize("text", expressions.ERRORS)
def test_error_on_the_page_is_the_actual_message(text: str) -> None:
    with pytest.raises(ExpressionError) as problem:
        compile_template(text, SCOPE)
    message = f"{problem.value.message} (at character {problem.value.position + 1})"
    assert f"| `{text}` | {message} |".replace("- * // % & | ^", "- * // % & \\| ^") in PAGE
