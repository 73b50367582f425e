"""`answerback health`."""

# Rule: the standard library alone; a container's health check runs this every few seconds.

import http.client

import click

from answerback.cli import options, output

READY = 200


@click.command(
    "health",
    short_help="Check readiness: exit 0 if the server is ready, 1 if not.",
    epilog="""\b
Examples:
  answerback health && echo ready
  answerback health --metrics 127.0.0.1:9464 --timeout 2s
  answerback health -o json | jq -r .detail
  HEALTHCHECK CMD ["answerback", "health"]      # in a Dockerfile""",
)
@options.metrics("Address where the server serves metrics and probes; 0.0.0.0 is reached through loopback.")
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
@click.option("--server", "admin", hidden=True)
@options.output("table", "json", "yaml")
def command(metrics: str, timeout: float, admin: str | None, form: str) -> None:
    """Check /readyz on the metrics address: exit 0 if the server is ready for traffic, 1 if not."""
    if admin is not None:
        output.line(f"--server is ignored: health checks the metrics address {metrics} (--metrics)", err=True)
    ready, detail = _asked(metrics, timeout)
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
    except (OSError, http.client.HTTPException) as error:
        return False, f"http://{metrics}/readyz: {getattr(error, 'strerror', None) or error}"
    finally:
        connection.close()
    if answer.status != READY:
        return False, f"not ready: {text or answer.reason}"
    return True, text or "ready"


def _reachable(address: str) -> tuple[str, int]:
    """Where to connect for what listens on an address: for all addresses, loopback."""
    host, _, port = address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host)  # noqa: S104 — is reached, not bound
    return host.removeprefix("[").removesuffix("]"), int(port)
