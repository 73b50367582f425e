"""What tests of the examples with TLS share: their certificates, and a client that accepts every one."""

import json
import ssl
from pathlib import Path

from click.testing import CliRunner

from answerback.cli import main
from answerback.v1 import config_pb2 as v1


def make_certificates(folder: Path) -> dict[str, str]:
    """Write the folder `tls`, as the examples say; the error that each certificate causes, empty for a good one."""
    result = CliRunner().invoke(main, ["certificates", str(folder / "tls"), "-o", "json"])
    assert result.exit_code == 0, result.output
    return {each["name"]: each["error"] for each in json.loads(result.stdout)["certificates"]}


def place_certificates(tls: v1.Tls, folder: Path) -> None:
    """Make the paths of an example absolute: the folder `tls` is in this one."""
    tls.cert, tls.key = str(folder / tls.cert), str(folder / tls.key)
    if tls.client_ca:
        tls.client_ca = str(folder / tls.client_ca)


def careless_client() -> ssl.SSLContext:
    """A client that verifies nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
