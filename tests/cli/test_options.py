"""Options that several commands share."""

import click
import pytest

from answerback.cli import options


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("8", 8.0),
        ("0", 0.0),
        ("8s", 8.0),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1m30s", 90.0),
    ],
)
def test_option_accepts_durations_as_in_a_configuration(text: str, seconds: float) -> None:
    assert options.Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1", "1d", "1e3", "8 s", "٣", "inf", "nan"])
def test_option_with_invalid_duration_is_rejected(text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        options.Duration().convert(text, None, None)
    assert caught.value.message == f"{text!r} is not a duration: write 500ms, 8s or 1m30s"


def test_option_keeps_an_address_as_written() -> None:
    assert options.Address().convert("[::1]:0", None, None) == "[::1]:0"


def test_option_with_invalid_address_is_rejected() -> None:
    with pytest.raises(click.BadParameter) as caught:
        options.Address().convert("here", None, None)
    assert caught.value.message == "'here' is not HOST:PORT"
