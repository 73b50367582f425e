"""`answerback health`."""

# Rule: the standard library and modules that need no more; a container's health check runs this every few seconds.

import http.client
import time
from typing import Final

import click

from answerback.cli import options, output
from answerback.core.wildcards import destination

READY: Final = 200
UNKNOWN_PATH: Final = 404
ADDRESS: Final = "health needs the metrics address (--metrics)"
PAUSE_SECONDS: Final = 0.05  # between two requests of --wait
SETTINGS: Final = "\x04\0\0\0\0\0"  # type, flags and stream of the frame that begins HTTP/2 (RFC 9113, section 3.4)


@click.command(
    "health",
    short_help="Check readiness: exit 0 if the server is ready, 1 if not.",
    epilog="""\b
Examples:
  answerback health && echo ready
  answerback health --metrics 127.0.0.1:9464 --timeout 2s
  answerback health --wait 30s && run-the-tests
  answerback health -o json | jq -r .detail
  HEALTHCHECK CMD ["answerback", "health"]      # in a Dockerfile""",
)
@options.metrics(
    "Address where the server serves metrics and probes; 0.0.0.0 is reached through loopback.", may_be_off=False
)
@click.option(
    "--timeout",
    type=options.Duration(),
    envvar="ANSWERBACK_TIMEOUT",
    show_envvar=True,
    default="2s",
    show_default=True,
    metavar="TIME",
    help="Timeout of the request.",
)
@click.option(
    "--wait",
    "patience",
    type=options.Duration(),
    default="0s",
    show_default=True,
    metavar="TIME",
    help="Ask again until the server is ready, for this time at most.",
)
@click.option("--server", "admin", hidden=True)
@options.output("table", "json", "yaml")
def command(metrics: str, timeout: float, patience: float, admin: str | None, form: str) -> None:
    """Check /readyz on the metrics address: exit 0 if the server is ready for traffic, 1 if not."""
    if admin is not None:
        output.line(f"--server is ignored: health checks the metrics address {metrics} (--metrics)", err=True)
    until = time.monotonic() + patience
    ready, detail = _asked(metrics, timeout)
    while not ready and (left := until - time.monotonic()) > 0:
        time.sleep(min(PAUSE_SECONDS, left))  # noqa: TID251 - another process becomes ready, without a notification
        ready, detail = _asked(metrics, min(timeout, max(PAUSE_SECONDS, until - time.monotonic())))
    if form != "table":
        output.write({"ready": ready, "detail": detail}, form)
    elif ready:
        output.line(_one_line(detail))
    else:
        output.line(f"Error: {_one_line(detail)}", err=True)
    if not ready:
        raise click.exceptions.Exit(1)


def _one_line(detail: str) -> str:
    """What it says, and what it adds to that."""
    return "; ".join(detail.split("\n"))


def _asked(metrics: str, timeout: float) -> tuple[bool, str]:
    """Whether it is ready, and what it says."""
    host, port = _reachable(metrics)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        with connection.getresponse() as answer:
            text = answer.read(4096).decode(errors="replace").strip()
    except http.client.BadStatusLine as error:
        return False, f"http://{metrics}/readyz: {_no_http(error.args[0])}"
    except (OSError, http.client.HTTPException) as error:
        return False, f"http://{metrics}/readyz: {getattr(error, 'strerror', None) or error}"
    finally:
        connection.close()
    if answer.status == UNKNOWN_PATH:
        return False, f"http://{metrics}/readyz: this HTTP server has no /readyz; {ADDRESS}"
    if answer.status != READY:
        return False, f"not ready: {text or answer.reason}"
    return True, text or "ready"


def _no_http(line: str) -> str:
    """What answered instead of an HTTP server."""
    if line[3:9] == SETTINGS:
        return f"this port speaks gRPC, as the admin API does; {ADDRESS}"
    return f"the reply is not HTTP; {ADDRESS}"


def _reachable(address: str) -> tuple[str, int]:
    """Where to connect for what listens on an address."""
    host, _, port = address.rpartition(":")
    return destination(host.strip("[]")), int(port)
