"""Options for the credentials that commands send to the admin API."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from answerback.cli import credentials, main
from answerback.cli.credentials import Credentials


@pytest.fixture
def asked() -> tuple[click.Group, list[Credentials]]:
    """A group with a command, both with the options, and what the command is given."""
    found: list[Credentials] = []

    @click.group()
    @credentials.options
    def group() -> None:
        pass

    @group.command()
    @credentials.options
    def command() -> None:
        found.append(credentials.given())

    return group, found


def test_credentials_without_options_are_empty(asked: Any) -> None:
    assert CliRunner().invoke(asked[0], ["command"]).exit_code == 0
    assert asked[1] == [Credentials()] == [credentials.given()]


def test_each_credential_has_an_option_and_a_variable(asked: Any) -> None:
    group, found = asked
    told = Credentials(token_file=Path("t"), ca=Path("a"), cert=Path("c"), key=Path("k"))
    options = ["--token-file", "t", "--ca", "a", "--cert", "c", "--key", "k"]
    env = {"ANSWERBACK_TOKEN_FILE": "t", "ANSWERBACK_CA": "a", "ANSWERBACK_CERT": "c", "ANSWERBACK_KEY": "k"}
    CliRunner().invoke(group, ["command", *options])
    CliRunner().invoke(group, ["command"], env=env)
    CliRunner().invoke(group, ["command", *options], env=dict.fromkeys(env, "other"))
    assert found == [told] * 3


def test_credential_options_of_a_group_are_defaults_of_its_commands(asked: Any) -> None:
    group, found = asked
    CliRunner().invoke(group, ["--ca", "a", "--token-file", "t", "command", "--token-file", "u"])
    assert found == [Credentials(token_file=Path("u"), ca=Path("a"))]


def test_token_cannot_be_given_as_an_argument() -> None:
    result = CliRunner().invoke(main, ["show", "--token", "secret"])
    assert result.exit_code == 2
