"""A listener with TLS against openssl s_client and curl."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerback.document.document import load
from tests.certifying import Authority
from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("curl")), reason="needs openssl and curl"),
]

CONFIG = """\
listeners:
  - name: lines
    address: 127.0.0.1:@LINES@
    framing: line
    engine: @ENGINE@
    tls: {cert: @CERT@, key: @KEY@, alpn: [lines], client_ca: @CA@, client_certificate: OPTIONAL}
    rules:
      - when: names
        do: [send: {template: "${tls.sni} ${tls.alpn} ${tls.client_name}\\n"}]
      - when: bye
        do: [send: "bye\\n", close]
      - do: [echo, send: "\\n"]
  - name: web
    address: 127.0.0.1:@WEB@
    framing: http
    engine: @ENGINE@
    tls: {cert: @CERT@, key: @KEY@}
    rules:
      - do: [respond: {status: 200, body: "Hello, World!\\n"}]
"""
FAULTY = """\
  - name: faulty@INDEX@
    address: 127.0.0.1:@PORT@
    engine: @ENGINE@
    tls: {cert: @CERT@, key: @KEY@, handshake_timeout: 500ms}
    faults: [{tls: @FAULT@}]
"""
# A fault of the handshake, and what openssl s_client calls it.
BROKEN = {
    "stall": "unexpected eof while reading",
    "{stall: {}, after: SERVER_HELLO}": "unexpected eof while reading",
    "reset": "errno=104",
    "{reset: {}, after: SERVER_HELLO}": "errno=104",
    "truncate": "unexpected eof while reading",
    "{truncate: {}, after: SERVER_HELLO}": "unexpected eof while reading",
    "{truncate: {}, after: FINISHED}": "unexpected eof while reading",
    "{alert: HANDSHAKE_FAILURE}": "alert handshake failure",
    "{alert: CERTIFICATE_EXPIRED}": "alert certificate expired",
    "{alert: NO_APPLICATION_PROTOCOL}": "alert no application protocol",
    "plain_text": "wrong version number",
}


class Secured:
    """A server, its authority, and the ports of its listeners."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.authority = Authority(folder)
        issued = self.authority.issue()
        self.own = self.authority.issue("billing", "billing.test", common_name="billing")
        self.lines, self.web = free_port(), free_port()
        self.faulty = {fault: free_port() for fault in BROKEN}
        values = {
            "LINES": self.lines,
            "WEB": self.web,
            "ENGINE": engine,
            "CERT": issued.certificate,
            "KEY": issued.key,
            "CA": self.authority.certificate,
        }
        text = CONFIG
        for index, (fault, port) in enumerate(self.faulty.items()):
            text += FAULTY.replace("@INDEX@", str(index)).replace("@PORT@", str(port)).replace("@FAULT@", fault)
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        assert not load(text).problems
        self.text = text

    def s_client(self, said: str, *options: str, port: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run openssl s_client until the server closes."""
        where = ("-connect", f"127.0.0.1:{port or self.lines}", "-servername", "localhost")
        trust = ("-CAfile", str(self.authority.certificate), "-verify_return_error")
        command = ("openssl", "s_client", *where, *trust, *options)
        return subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=20)


@pytest.fixture(scope="module", params=["CALLBACK", "COROUTINE"])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    found = Secured(folder, request.param)
    with serving(RunningServer(0, free_port(), free_port()), found.text, folder):
        yield found


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client_is_answered_in_each_version(secured: Secured, version: str) -> None:
    found = secured.s_client("one\nnames\nbye\n", "-quiet", version, "-alpn", "lines")
    assert (found.returncode, found.stdout) == (0, "one\nlocalhost lines \nbye\n")


def test_s_client_shows_its_certificate(secured: Secured) -> None:
    own = ("-cert", str(secured.own.certificate), "-key", str(secured.own.key))
    assert secured.s_client("names\nbye\n", "-quiet", *own).stdout == "localhost  billing\nbye\n"


def test_renegotiation_is_refused(secured: Secured) -> None:
    found = secured.s_client("R\nbye\n", "-tls1_2")
    assert "RENEGOTIATING" in found.stdout + found.stderr
    assert "no renegotiation" in found.stderr


def test_old_version_is_rejected_with_its_alert(secured: Secured) -> None:
    found = secured.s_client("", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    assert found.returncode == 1
    assert "alert protocol version" in found.stderr


def test_server_reports_no_compression_and_secure_renegotiation(secured: Secured) -> None:
    found = secured.s_client("bye\n", "-tls1_2", "-ign_eof")
    assert "Secure Renegotiation IS supported" in found.stdout
    assert "Compression: NONE" in found.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("fault", BROKEN)
def test_s_client_names_what_is_wrong_with_a_handshake(secured: Secured, fault: str, version: str) -> None:
    found = secured.s_client("hi\n", "-ign_eof", version, port=secured.faulty[fault])
    assert re.search(BROKEN[fault], found.stderr), found.stderr
    assert found.returncode == 1


@pytest.mark.parametrize("version", ["--tlsv1.2", "--tlsv1.3"])
def test_curl_gets_pages_on_one_connection(secured: Secured, version: str) -> None:
    url = f"https://localhost:{secured.web}/"
    command = ("curl", "-sS", version, "--cacert", str(secured.authority.certificate), url, url)
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (found.returncode, found.stdout) == (0, "Hello, World!\n" * 2)


def test_curl_without_the_authority_rejects_the_server(secured: Secured) -> None:
    command = ("curl", "-sS", f"https://localhost:{secured.web}/")
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert found.returncode == 60  # the peer's certificate cannot be authenticated
