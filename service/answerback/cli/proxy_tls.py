"""The options of `answerback proxy` for TLS, on either side."""

import os
from typing import Any, Final

import click

from answerback.cli.credentials import FILE
from answerback.cli.options import together

# Rule: what is in the files, and what belongs together, is checked as in a configuration file.

CLIENTS: Final = {"tls_cert": "cert", "tls_key": "key"}
UPSTREAM: Final = {"upstream_ca": "ca", "upstream_cert": "cert", "upstream_key": "key"}


OPTIONS: Final = together(
    click.option(
        "--tls-cert",
        type=FILE,
        metavar="FILE",
        help="Speak TLS with clients: the certificate (PEM, with its chain). Reloaded when it changes.",
    ),
    click.option("--tls-key", type=FILE, metavar="FILE", help="Private key of --tls-cert (PEM, unencrypted)."),
    click.option("--upstream-tls", is_flag=True, help="Speak TLS with UPSTREAM, and verify its certificate."),
    click.option(
        "--upstream-ca",
        type=FILE,
        metavar="FILE",
        help="CA certificates (PEM) to verify UPSTREAM with, instead of those of this machine.",
    ),
    click.option(
        "--upstream-name", metavar="NAME", help="Name to ask UPSTREAM for and to verify, instead of its host."
    ),
    click.option("--upstream-cert", type=FILE, metavar="FILE", help="Client certificate (PEM) for UPSTREAM."),
    click.option(
        "--upstream-key", type=FILE, metavar="FILE", help="Private key of --upstream-cert (PEM, unencrypted)."
    ),
    click.option("--upstream-insecure", is_flag=True, help="Verify nothing of UPSTREAM's certificate."),
)
"""The options of the command."""


def of_clients(given: dict[str, Any]) -> dict[str, Any]:
    """The field `tls` of the listener, if there is one."""
    files = _files(given, CLIENTS)
    return {"tls": files} if files else {}


def of_upstream(given: dict[str, Any]) -> dict[str, Any]:
    """The field `tls` of the upstream, if there is one: each option about it asks for TLS."""
    tls = _files(given, UPSTREAM)
    if given["upstream_name"]:
        tls["server_name"] = given["upstream_name"]
    if given["upstream_insecure"]:
        tls["verify"] = "NONE"
    return {"tls": tls} if tls or given["upstream_tls"] else {}


def _files(given: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Paths from here: those in a configuration are relative to its file."""
    return {field: os.path.abspath(given[name]) for name, field in names.items() if given[name]}  # noqa: PTH100 - links
