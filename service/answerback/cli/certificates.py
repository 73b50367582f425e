"""`answerback certificates`."""

import ipaddress
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from answerback.cli import options, output

if TYPE_CHECKING:
    from answerback.cli.issuing import Issued

# Rule: a key is in no file that others can read, not even for a moment.

INSTALL: Final = "pip install 'answerback[certificates]'"
_LABEL: Final = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
# A wildcard stands for one label, and OpenSSL accepts it only before two others or more.
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\*(?:\.{_LABEL}){{2,}}")
_MAX_NAME: Final = 253  # RFC 1035
_MAX_DAYS: Final = 3650


class HostName(click.ParamType[str]):
    """A host name, perhaps with a wildcard at its beginning, or an IP address."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it stands in a certificate."""
        text = str(value)
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            pass
        if not _NAME.fullmatch(text) or len(text) > _MAX_NAME:
            problem = f"{text!r} is neither a host name nor an IP address"
            self.fail(f"{problem}: write redis.test, *.redis.test or 192.0.2.7", param, ctx)
        return text


@click.command(
    "certificates",
    short_help="Make TLS certificates for tests, good and bad.",
    epilog=f"""\b
Examples:
  answerback certificates tls
  answerback certificates tls --days 90 --name redis.test --name 192.0.2.7
  answerback certificates tls --force -o json | jq -r '.certificates[] | select(.error != "").certificate'

\b
A client is right if it trusts ca.crt, accepts localhost.crt, and rejects each bad certificate:
  openssl s_server -accept 8443 -cert tls/expired.crt -key tls/expired.key
  curl --cacert tls/ca.crt https://localhost:8443      # certificate has expired

\b
This command alone needs the package cryptography: {INSTALL}""",
)
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--days",
    type=click.IntRange(1, _MAX_DAYS),
    default=7,
    show_default=True,
    metavar="N",
    help="Days for which the certificates are valid.",
)
@click.option(
    "--name",
    "names",
    type=HostName(),
    multiple=True,
    metavar="NAME",
    help="Host name or IP address for the certificates, beside localhost, 127.0.0.1 and ::1. Repeatable.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@options.output("table", "json", "yaml")
def command(directory: Path, days: int, names: Sequence[str], force: bool, form: str) -> None:
    """Make a new certificate authority and certificates signed by it, and write them to DIR, as NAME.crt and NAME.key.

    Some are good; each of the others is wrong in one way, to test that clients reject it. All are for localhost, and
    for tests only. The authority's key is not kept, so trusting ca.crt is trusting these certificates alone. DIR is
    created if it is missing; keys are readable by their owner only.
    """
    try:
        from answerback.cli.issuing import LOCAL, issue
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "cryptography":
            raise
        raise click.ClickException(f"making certificates needs the package cryptography: {INSTALL}") from None
    now = datetime.now(UTC)
    issued = list(issue(tuple(dict.fromkeys((*LOCAL, *names))), now, days))
    _write(directory, _files(issued), force=force)
    until = (now + timedelta(days=days)).replace(microsecond=0)
    if form != "table":
        listed = [_described(directory, each) for each in issued]
        output.write({"directory": str(directory), "valid_until": until.isoformat(), "certificates": listed}, form)
        return
    rows = [(f"{each.name}.crt", each.meaning, each.error or "–") for each in issued]
    output.table(("CERTIFICATE", "WHAT IT IS", "OPENSSL'S ERROR"), rows)
    output.line(f"valid for {days} day{'s' * (days != 1)}, until {until:%Y-%m-%d %H:%M} UTC", err=True)


def _described(directory: Path, each: "Issued") -> dict[str, str | None]:
    return {
        "name": each.name,
        "certificate": str(directory / f"{each.name}.crt"),
        "key": str(directory / f"{each.name}.key") if each.key else None,
        "meaning": each.meaning,
        "error": each.error,
    }


def _files(issued: Sequence["Issued"]) -> dict[str, tuple[bytes, int]]:
    """The content and the mode of each file."""
    found: dict[str, tuple[bytes, int]] = {}
    for each in issued:
        if each.key:
            found[f"{each.name}.key"] = (each.key, 0o600)
        found[f"{each.name}.crt"] = (each.certificate, 0o644)
    return found


def _write(directory: Path, files: dict[str, tuple[bytes, int]], *, force: bool) -> None:
    """Write all files, each at once. Raises ClickException; without `force` nothing is written if a file is there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        there = [name for name in files if os.path.lexists(directory / name)]
        if there and not force:
            more = f" and {len(there) - 1} more" if len(there) > 1 else ""
            raise click.ClickException(f"{directory / there[0]}{more} would be replaced: write --force, or another DIR")
        for name, (content, mode) in files.items():
            _replace(directory / name, content, mode)
    except OSError as error:
        raise click.ClickException(f"cannot write {error.filename or directory}: {error.strerror}") from None


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Replace a file with its permissions: a server that reads it gets the old one or the new one as a whole."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with the mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        fresh.chmod(mode)
        fresh.replace(path)
    except BaseException:
        fresh.unlink()
        raise
