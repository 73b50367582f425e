"""`answerback serve`."""

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from answerback import logs
from answerback.cli import credentials, options, source

if TYPE_CHECKING:
    from answerback.app import ServeOptions
    from answerback.language.problems import InvalidConfig

log = logging.getLogger(__name__)


@click.command(
    "serve",
    short_help="Run the server in the foreground.",
    epilog="""\b
Examples:
  answerback serve
  answerback serve --config answerback.yaml --watch-config --workers 2
  answerback examples redis-ping | answerback serve --config -
  answerback serve --config answerback.yaml --log-format json --metrics 0.0.0.0:9464
  answerback serve --admin unix:/run/answerback.sock
  answerback serve --admin 0.0.0.0:50051 --admin-cert tls.crt --admin-key tls.key --token-file token
  answerback serve --state /var/lib/answerback           # changes survive a restart

\b
Signals:
  SIGTERM, SIGINT   drain: readiness fails at once, replies in progress finish, exit 0 within --grace
  a second one      abort: open connections are reset, exit 1
  SIGHUP            apply the --config file again; an invalid file changes nothing""",
)
@click.option(
    "--config",
    type=click.Path(readable=False, path_type=Path),
    envvar="ANSWERBACK_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help='Configuration file; - reads standard input. Without it, the server answers "Hello, World!" on port 8000.',
)
@click.option(
    "--watch-config",
    is_flag=True,
    envvar="ANSWERBACK_WATCH_CONFIG",
    show_envvar=True,
    help="Apply the --config file whenever it, or a file it names, changes.",
)
@options.serving
@click.option(
    "--toxiproxy-api",
    type=options.Address(may_be_off=True),
    envvar="ANSWERBACK_TOXIPROXY_API",
    show_envvar=True,
    default="off",
    show_default=True,
    metavar="ADDR",
    help="HTTP address of Toxiproxy's API, for its clients; 127.0.0.1:8474 is where they look.",
)
@click.option(
    "--port-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="ANSWERBACK_PORT_FILE",
    show_envvar=True,
    metavar="FILE",
    help="Once ready, write the bound addresses to FILE as JSON; removed at the end.",
)
@click.option(
    "--engine",
    type=click.Choice(("callback", "coroutine")),
    envvar="ANSWERBACK_ENGINE",
    show_envvar=True,
    default="callback",
    show_default=True,
    help="Engine of listeners that do not set `engine`.",
)
@click.option(
    "--drain-delay",
    type=options.Duration(),
    envvar="ANSWERBACK_DRAIN_DELAY",
    show_envvar=True,
    default="0s",
    show_default=True,
    metavar="TIME",
    help="On shutdown, time to keep accepting while load balancers notice that readiness has failed.",
)
@click.option(
    "--grace",
    type=options.Duration(),
    envvar="ANSWERBACK_GRACE",
    show_envvar=True,
    default="8s",
    show_default=True,
    metavar="TIME",
    help="Maximum shutdown time, including --drain-delay. Connections still open after it are reset.",
)
@click.option(
    "--log-format",
    type=click.Choice(logs.FORMATS),
    envvar="ANSWERBACK_LOG_FORMAT",
    show_envvar=True,
    default="text",
    show_default=True,
    help="Format of the log on standard error.",
)
@click.option(
    "--log-level",
    type=click.Choice(logs.LEVELS, case_sensitive=False),
    envvar="ANSWERBACK_LOG_LEVEL",
    show_envvar=True,
    default="info",
    show_default=True,
    help="Minimum log level.",
)
@click.option(
    "--files",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    envvar="ANSWERBACK_FILES",
    show_envvar=True,
    metavar="DIR",
    help="Directory that configurations sent through the API may read files from. Not allowed by default.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    envvar="ANSWERBACK_STATE",
    show_envvar=True,
    metavar="DIR",
    help="Directory that stores the configuration history. On start, the newest revision becomes active.",
)
@click.option(
    "--keep-revisions",
    type=click.IntRange(1),
    envvar="ANSWERBACK_KEEP_REVISIONS",
    show_envvar=True,
    default=1000,
    show_default=True,
    metavar="N",
    help="Maximum number of revisions in the history. The active revision is always kept.",
)
@click.option(
    "--keep-age",
    type=options.Duration(),
    envvar="ANSWERBACK_KEEP_AGE",
    show_envvar=True,
    default=math.inf,
    show_default="forever",
    metavar="TIME",
    help="Maximum age of revisions in the history.",
)
@click.option(
    "--admin-cert",
    type=credentials.FILE,
    envvar="ANSWERBACK_ADMIN_CERT",
    show_envvar=True,
    metavar="FILE",
    help="Certificate of the admin API (PEM, with its chain); enables TLS. Reloaded when it changes.",
)
@click.option(
    "--admin-key",
    type=credentials.FILE,
    envvar="ANSWERBACK_ADMIN_KEY",
    show_envvar=True,
    metavar="FILE",
    help="Private key of --admin-cert (PEM, no passphrase).",
)
@click.option(
    "--admin-client-ca",
    type=credentials.FILE,
    envvar="ANSWERBACK_ADMIN_CLIENT_CA",
    show_envvar=True,
    metavar="FILE",
    help="Require client certificates signed by one of these CAs (PEM): mutual TLS.",
)
@click.option(
    "--token-file",
    type=credentials.FILE,
    envvar="ANSWERBACK_TOKEN_FILE",
    show_envvar=True,
    metavar="FILE",
    help="Require the bearer token in this file (at least 32 bytes). Reloaded when it changes.",
)
@click.option(
    "--read-token-file",
    type=credentials.FILE,
    envvar="ANSWERBACK_READ_TOKEN_FILE",
    show_envvar=True,
    metavar="FILE",
    help="File with a second token that allows only read access.",
)
@click.option(
    "--read-token-journal",
    is_flag=True,
    envvar="ANSWERBACK_READ_TOKEN_JOURNAL",
    show_envvar=True,
    help="Let the token of --read-token-file also read the journal: what clients sent, which may be secret.",
)
@click.option(
    "--admin-reflection",
    is_flag=True,
    envvar="ANSWERBACK_ADMIN_REFLECTION",
    show_envvar=True,
    help="Enable gRPC reflection even if --admin is reachable from other machines.",
)
@click.option(
    "--admin-insecure",
    is_flag=True,
    envvar="ANSWERBACK_ADMIN_INSECURE",
    show_envvar=True,
    help="Allow --admin to be reachable from other machines without authentication.",
)
def command(**given: Any) -> None:
    """Run the server in the foreground until it receives a signal."""
    from answerback import app

    if given["watch_config"] and given["config"] is None:
        raise click.UsageError("--watch-config requires --config FILE")
    if given["config"] == Path(source.STDIN):
        if given["watch_config"]:
            raise click.UsageError("--watch-config needs a file: standard input is read once")
        given |= {"config": Path(source.name(source.STDIN)), "config_text": source.read(source.STDIN)}
    run(app.ServeOptions(**given))


def run(told: "ServeOptions") -> NoReturn:
    """Serve until a signal ends it. Raises Exit with the exit code, and ClickException if it cannot start."""
    from answerback import app
    from answerback.language.problems import InvalidConfig
    from answerback.supervisor import StartError

    try:
        code = app.run(told)
    except StartError as error:
        raise _failure(told.log_format, str(error)) from None
    except InvalidConfig as rejected:
        raise _rejection(told, rejected) from None
    raise click.exceptions.Exit(code)


def _rejection(told: "ServeOptions", rejected: "InvalidConfig") -> click.exceptions.Exit | click.ClickException:
    """Report each problem on its own line."""
    first = rejected.problems[0]
    if len(rejected.problems) == 1 and not first.path and first.line is None:
        return _failure(told.log_format, first.message)  # the problem is not in a file
    if told.log_format == "text":
        return source.refuse(
            str(told.config or "the built-in configuration"), rejected.problems, "the server did not start"
        )
    for one in rejected.problems:
        log.error("configuration rejected: %s", one, extra={"path": one.path, "line": one.line, "column": one.column})
    return click.exceptions.Exit(1)


def _failure(log_format: str, message: str) -> click.exceptions.Exit | click.ClickException:
    if log_format == "text":
        return click.ClickException(message)
    log.error("%s", message)
    return click.exceptions.Exit(1)
