import pytest

from answerback.language.problems import MOST_PROBLEMS, Enough, InvalidConfig, Problem, Problems, quoted, step_into


def test_problem_is_printed_with_its_line_column_and_path() -> None:
    assert str(Problem("listeners[0].name", "missing")) == "listeners[0].name: missing"
    assert str(Problem("listeners[0].name", "missing", 3, 5)) == "3:5: listeners[0].name: missing"
    assert str(Problem("", "not YAML", 1, 1)) == "1:1: not YAML"


def test_rejection_is_printed_with_every_problem() -> None:
    refused = InvalidConfig([Problem("a", "one"), Problem("b", "two")])
    assert str(refused) == "a: one; b: two"
    assert [problem.path for problem in refused.problems] == ["a", "b"]


def test_problems_stop_after_1000_with_a_notice() -> None:
    problems = Problems()
    for index in range(MOST_PROBLEMS - 1):
        problems.add(f"[{index}]", "wrong")
    with pytest.raises(Enough):
        problems.add("the last", "wrong")
    found = problems.found()
    assert len(found) == MOST_PROBLEMS + 1
    assert str(found[-1]) == "there may be more than these 1000 problems"


def test_quoted_value_is_escaped_and_shortened() -> None:
    assert quoted("a\x1b'") == '"a\\x1b\'"'
    assert quoted("x" * 1000) == "'" + "x" * 59 + "…'"


def test_problem_path_joins_field_names() -> None:
    assert step_into("", "listeners") == "listeners"
    assert step_into("listeners[0]", "name") == "listeners[0].name"
