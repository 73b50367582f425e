"""`answerback serve`."""

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from answerback import logs
from answerback.cli import cpus, credentials, options, source

if TYPE_CHECKING:
    from answerback.app import ServeOptions
    from answerback.language.problems import Refused

log = logging.getLogger(__name__)


@click.command(
    "serve",
    short_help="Answer TCP connections, in the foreground.",
    epilog="""\b
Examples:
  answerback serve
  answerback serve --config answerback.yaml --watch-config --workers 2
  answerback serve --config answerback.yaml --log-format json --metrics 0.0.0.0:9464
  answerback serve --admin unix:/run/answerback.sock
  answerback serve --admin 0.0.0.0:50051 --admin-cert tls.crt --admin-key tls.key --token-file token
  answerback serve --state /var/lib/answerback           # changes survive a restart

\b
Signals:
  SIGTERM, SIGINT   drain: readiness fails at once, what is in progress is finished, exit 0 within --grace
  a second one      abort: what is open is reset
  SIGHUP            apply the file of --config again; a bad one changes nothing""",
)
@click.option(
    "--config",
    type=click.Path(readable=False, path_type=Path),
    envvar="ANSWERBACK_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help='The configuration. Without it, port 8000 is answered with "Hello, World!".',
)
@click.option(
    "--watch-config",
    is_flag=True,
    envvar="ANSWERBACK_WATCH_CONFIG",
    show_envvar=True,
    help="Apply the file of --config whenever its content, or that of a file it names, has changed.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    envvar="ANSWERBACK_WORKERS",
    show_envvar=True,
    default=cpus.default_workers,
    show_default="the CPUs it may use, at most 4",
    metavar="N",
    help="How many processes serve connections.",
)
@options.admin
@options.metrics("Where /metrics, /healthz, /readyz and a page at / are served over HTTP.")
@click.option(
    "--engine",
    type=click.Choice(("callback", "coroutine")),
    envvar="ANSWERBACK_ENGINE",
    show_envvar=True,
    default="callback",
    show_default=True,
    help="What drives the connections of listeners that name no engine.",
)
@click.option(
    "--drain-delay",
    type=options.Duration(),
    envvar="ANSWERBACK_DRAIN_DELAY",
    show_envvar=True,
    default="0s",
    show_default=True,
    metavar="TIME",
    help="How long to accept on when told to stop, while balancers notice that readiness has failed.",
)
@click.option(
    "--grace",
    type=options.Duration(),
    envvar="ANSWERBACK_GRACE",
    show_envvar=True,
    default="8s",
    show_default=True,
    metavar="TIME",
    help="Within which it has stopped, the drain delay included; what is open then is reset.",
)
@click.option(
    "--log-format",
    type=click.Choice(logs.FORMATS),
    envvar="ANSWERBACK_LOG_FORMAT",
    show_envvar=True,
    default="text",
    show_default=True,
    help="How the log on standard error is written.",
)
@click.option(
    "--log-level",
    type=click.Choice(logs.LEVELS, case_sensitive=False),
    envvar="ANSWERBACK_LOG_LEVEL",
    show_envvar=True,
    default="info",
    show_default=True,
    help="The least of what is logged.",
)
@click.option(
    "--files",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    envvar="ANSWERBACK_FILES",
    show_envvar=True,
    metavar="DIR",
    help="The folder beneath which configurations that come through the API may name files; none by default.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    envvar="ANSWERBACK_STATE",
    show_envvar=True,
    metavar="DIR",
    help="Keep the history of the configuration there, and begin with the newest revision; made if it is missing.",
)
@click.option(
    "--keep-revisions",
    type=click.IntRange(1),
    envvar="ANSWERBACK_KEEP_REVISIONS",
    show_envvar=True,
    default=1000,
    show_default=True,
    metavar="N",
    help="How many revisions the history keeps; the one in force is always kept.",
)
@click.option(
    "--keep-age",
    type=options.Duration(),
    envvar="ANSWERBACK_KEEP_AGE",
    show_envvar=True,
    default=math.inf,
    show_default="for ever",
    metavar="TIME",
    help="How long the history keeps a revision.",
)
@click.option(
    "--admin-cert",
    type=credentials.FILE,
    envvar="ANSWERBACK_ADMIN_CERT",
    show_envvar=True,
    metavar="FILE",
    help="The certificate (PEM, with its chain) of the control API, over TLS then; read again when it changes.",
)
@click.option(
    "--admin-key",
    type=credentials.FILE,
    envvar="ANSWERBACK_ADMIN_KEY",
    show_envvar=True,
    metavar="FILE",
    help="The private key of --admin-cert (PEM, without a passphrase).",
)
@click.option(
    "--admin-client-ca",
    type=credentials.FILE,
    envvar="ANSWERBACK_ADMIN_CLIENT_CA",
    show_envvar=True,
    metavar="FILE",
    help="Ask for a certificate that one of these (PEM) has signed: mutual TLS.",
)
@click.option(
    "--token-file",
    type=credentials.FILE,
    envvar="ANSWERBACK_TOKEN_FILE",
    show_envvar=True,
    metavar="FILE",
    help="Ask for the bearer token in this file, of 32 bytes or more; read again when it changes.",
)
@click.option(
    "--read-token-file",
    type=credentials.FILE,
    envvar="ANSWERBACK_READ_TOKEN_FILE",
    show_envvar=True,
    metavar="FILE",
    help="Another token, whose bearers see everything and change nothing.",
)
@click.option(
    "--admin-reflection",
    is_flag=True,
    envvar="ANSWERBACK_ADMIN_REFLECTION",
    show_envvar=True,
    help="Offer gRPC reflection although --admin is reached from other machines.",
)
@click.option(
    "--admin-insecure",
    is_flag=True,
    envvar="ANSWERBACK_ADMIN_INSECURE",
    show_envvar=True,
    help="Let --admin be reached from other machines, although nothing guards it.",
)
def command(**given: Any) -> None:
    """Answer TCP connections as configured, in the foreground, until told to stop."""
    from answerback import app
    from answerback.language.problems import Refused
    from answerback.supervisor import StartError

    if given["watch_config"] and given["config"] is None:
        raise click.UsageError("--watch-config needs a file to watch: give --config FILE")
    told = app.ServeOptions(**given)
    try:
        code = app.run(told)
    except StartError as error:
        raise _failure(told.log_format, str(error)) from None
    except Refused as refused:
        raise _refusal(told, refused) from None
    raise click.exceptions.Exit(code)


def _refusal(told: "ServeOptions", refused: "Refused") -> click.exceptions.Exit | click.ClickException:
    """Every problem on a line of its own."""
    first = refused.problems[0]
    if len(refused.problems) == 1 and not first.path and first.line is None:
        return _failure(told.log_format, first.message)  # there is no file to speak of
    if told.log_format == "text":
        return source.refuse(str(told.config or "the built-in configuration"), refused.problems, "nothing is served")
    for one in refused.problems:
        log.error("refused: %s", one, extra={"path": one.path, "line": one.line, "column": one.column})
    return click.exceptions.Exit(1)


def _failure(log_format: str, message: str) -> click.exceptions.Exit | click.ClickException:
    if log_format == "text":
        return click.ClickException(message)
    log.error("%s", message)
    return click.exceptions.Exit(1)
