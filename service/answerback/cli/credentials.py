"""The credentials of a command for the admin API: a token, certificates."""

# Rule: a token goes over TLS, or to this machine.
# Rule: the options are paths alone: a list of processes shows the command line.

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

F = TypeVar("F", bound=Callable[..., Any])

FILE: Final = click.Path(readable=False, path_type=Path)  # the code that reads it reports errors
META: Final = f"{__name__}."
HELP: Final = {
    "token-file": "File with the bearer token, if the server requires one (serve --token-file).",
    "ca": "Use TLS and verify the server's certificate with these CA certificates (PEM).",
    "cert": "Client certificate (PEM), if the server requires one (serve --admin-client-ca).",
    "key": "Private key of --cert (PEM, no passphrase).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Paths, as they were given."""

    token_file: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def tls(self) -> bool:
        """Whether they are for TLS."""
        return bool(self.ca or self.cert or self.key)


def given() -> Credentials:
    """Those of the command that runs; none outside one."""
    context = click.get_current_context(silent=True)
    meta: Mapping[str, Any] = context.meta if context else {}
    return Credentials(**{each.name: meta.get(META + each.name) for each in fields(Credentials)})


def options(function: F) -> F:
    """The options. Their values are the invocation's, not arguments of the command: it has nothing to do with them."""
    for name, help_text in reversed(HELP.items()):
        function = click.option(
            f"--{name}",
            type=FILE,
            envvar=f"ANSWERBACK_{name.upper().replace('-', '_')}",
            show_envvar=True,
            metavar="FILE",
            help=help_text,
            expose_value=False,
            callback=_keep,
        )(function)
    return function


def _keep(context: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is not None:  # a group's option holds for its commands, unless they have their own
        context.meta[META + str(param.name)] = value
