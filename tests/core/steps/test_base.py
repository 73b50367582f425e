from answerback.core import steps


def test_constant_steps_are_computed_once_not_for_each_request() -> None:
    fixed = [steps.send(b"hi"), steps.delay_fixed(1), steps.close(), steps.reset()]
    assert not any(map(callable, fixed))
    assert callable(steps.echo())
