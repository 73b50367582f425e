"""Real clients begin TLS at the examples that wait for it, and verify the certificate."""

import imaplib
import poplib
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.programs.test_programs import output
from tests.system.tls_examples import make_certificates, place_certificates

ldap3 = pytest.importorskip("ldap3")
psycopg = pytest.importorskip("psycopg")
pymysql = pytest.importorskip("pymysql")
urllib3 = pytest.importorskip("urllib3")

pytestmark = pytest.mark.programs

HOST = "localhost"  # the name in the certificate
NAMES = (
    "smtp-starttls",
    "imap-starttls",
    "pop3-starttls",
    "ldap-starttls",
    "postgres-tls",
    "mysql-tls",
    "connect-tls",
)


@dataclass(frozen=True)
class Examples:
    """One server for all of them."""

    ports: dict[str, int]
    ca: Path

    @property
    def context(self) -> ssl.SSLContext:
        """A client that trusts the authority alone, and checks the name."""
        return ssl.create_default_context(cafile=str(self.ca))


@pytest.fixture(scope="module", params=["CALLBACK", "COROUTINE"])
def examples(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    folder = tmp_path_factory.mktemp("starttls")
    make_certificates(folder)
    config, ports = v1.Config(), {name: free_port() for name in NAMES}
    for name, port in ports.items():
        text = resources.files("answerback").joinpath("examples", f"{name}.yaml").read_text("utf-8")
        listener = load(text).config.listeners[0]
        listener.address, listener.engine = f"127.0.0.1:{port}", v1.Engine.Value(f"ENGINE_{request.param}")
        place_certificates(listener.tls, folder)
        config.listeners.append(listener)
    config.listeners.append(relay(ports, request.param))
    with serving(RunningServer(0, free_port(), free_port()), dump(config), folder):
        yield Examples(ports, folder / "tls" / "ca.crt")


def relay(ports: dict[str, int], engine: str) -> v1.Listener:
    """A listener before the HTTP proxy that frames its replies; its port is added to those of the examples."""
    ports["relay"] = free_port()
    text = f"""
    listeners:
      - name: relay
        address: 127.0.0.1:{ports["relay"]}
        engine: {engine}
        framing: http
        upstream: {{address: '127.0.0.1:{ports["connect-tls"]}', framing: http}}
        rules: [{{event: REPLY, do: [forward]}}]
    """
    return load(text).config.listeners[0]


# ── Mail ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_smtplib_sends_a_message_behind_starttls(examples: Examples) -> None:
    with smtplib.SMTP(HOST, examples.ports["smtp-starttls"], timeout=10) as client:
        assert client.docmd("MAIL", "FROM:<a@test>")[0] == 530
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=examples.context)
        assert client.sendmail("a@test", ["b@test"], "Subject: hi\n\nbody\n") == {}
        assert not client.has_extn("starttls")


@pytest.mark.skipif(
    subprocess.call(["perl", "-MNet::SSLeay", "-e1"], stderr=subprocess.DEVNULL) != 0, reason="no Net::SSLeay"
)
def test_swaks_sends_a_message_with_tls(examples: Examples) -> None:
    server = ("--server", f"{HOST}:{examples.ports['smtp-starttls']}")
    trust = ("--tls", "--tls-verify", "--tls-ca-path", str(examples.ca))
    said = output("swaks", *server, *trust, "--from", "a@test", "--to", "b@test", "--body", "hello")
    assert "=== TLS started with cipher" in said
    assert "<~  250 queued " in said


def test_imaplib_reads_a_message_behind_starttls(examples: Examples) -> None:
    with imaplib.IMAP4(HOST, examples.ports["imap-starttls"], 10) as client:
        assert "LOGINDISABLED" in client.capabilities
        client.starttls(examples.context)
        client.login("ada", "lovelace")
        assert client.select() == ("OK", [b"1"])
        found = client.fetch("1", "(RFC822)")[1][0]
        assert isinstance(found, tuple)
        assert found[1] == b"Subject: Engine\r\n\r\nIt works."


def test_poplib_reads_a_message_behind_stls(examples: Examples) -> None:
    client = poplib.POP3(HOST, examples.ports["pop3-starttls"], 10)
    with pytest.raises(poplib.error_proto, match="STLS first"):
        client.user("ada")
    client.stls(examples.context)
    client.user("ada")
    client.pass_("lovelace")
    assert client.stat() == (1, 30)
    assert client.retr(1)[1] == [b"Subject: Engine", b"", b"It works."]
    client.quit()


@pytest.mark.parametrize(
    "url, found",
    [
        ("imap://localhost:{imap}/INBOX;MAILINDEX=1", "It works."),
        ("pop3://localhost:{pop3}/1", "It works."),
    ],
)
def test_curl_reads_mail_where_it_requires_tls(examples: Examples, url: str, found: str) -> None:
    where = url.format(imap=examples.ports["imap-starttls"], pop3=examples.ports["pop3-starttls"])
    said = output("curl", "-sS", "--ssl-reqd", "--cacert", str(examples.ca), "-u", "ada:lovelace", where)
    assert found in said


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3", "ldap", "postgres", "mysql"])
def test_s_client_verifies_each_protocol(examples: Examples, protocol: str) -> None:
    name = next(name for name in NAMES if name.startswith(protocol))
    where = ("-connect", f"{HOST}:{examples.ports[name]}", "-starttls", protocol)
    trust = ("-CAfile", str(examples.ca), "-verify_return_error", "-verify_hostname", HOST)
    command = ("openssl", "s_client", *where, *trust)
    found = subprocess.run(command, input="", capture_output=True, text=True, check=False, timeout=20)
    assert "Verify return code: 0 (ok)" in found.stdout, found.stderr


# ── Stores ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_psycopg_verifies_the_server_in_full(examples: Examples) -> None:
    where = f"host={HOST} port={examples.ports['postgres-tls']} user=any dbname=any connect_timeout=10"
    with psycopg.connect(f"{where} sslmode=verify-full sslrootcert={examples.ca}", autocommit=True) as client:
        assert client.execute("select 42").fetchone() == (42,)
        assert client.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="no encryption: use TLS"):
        psycopg.connect(f"{where} sslmode=disable")


def test_pymysql_verifies_the_server_and_is_rejected_without_tls(examples: Examples) -> None:
    where = {"host": HOST, "port": examples.ports["mysql-tls"], "user": "any", "connect_timeout": 10}
    client = pymysql.connect(**where, ssl_ca=str(examples.ca), ssl_verify_cert=True, ssl_verify_identity=True)
    with client, client.cursor() as cursor:
        cursor.execute("SELECT 42")
        assert cursor.fetchall() == ((42,),)
    with pytest.raises(pymysql.err.OperationalError, match="use TLS"):
        pymysql.connect(**where, ssl_disabled=True)


@pytest.mark.filterwarnings("ignore:ssl.match_hostname")  # ldap3 calls it
def test_ldap3_binds_behind_start_tls(examples: Examples) -> None:
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(examples.ca), valid_names=[HOST])
    server = ldap3.Server(HOST, examples.ports["ldap-starttls"], tls=tls, get_info=ldap3.NONE, connect_timeout=10)
    early = ldap3.Connection(server, "cn=admin,dc=test", "secret")
    assert not early.bind()
    assert early.result["description"] == "confidentialityRequired"
    early.unbind()
    client = ldap3.Connection(server, "cn=admin,dc=test", "secret", auto_bind=ldap3.AUTO_BIND_TLS_BEFORE_BIND)
    assert client.search("dc=test", "(cn=ada)", attributes=["mail"])
    assert client.entries[0].mail == "ada@example.com"
    client.unbind()


# ── A proxy ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["connect-tls", "relay"])
def test_curl_gets_a_page_through_connect(examples: Examples, name: str) -> None:
    proxy = f"http://{HOST}:{examples.ports[name]}"
    assert output("curl", "-sS", "--cacert", str(examples.ca), "--proxy", proxy, "https://localhost/") == (
        "Hello from localhost!\n"
    )


def test_urllib3_gets_a_page_through_connect(examples: Examples) -> None:
    proxy = f"http://{HOST}:{examples.ports['connect-tls']}"
    with urllib3.ProxyManager(proxy, ca_certs=str(examples.ca), timeout=10.0, retries=False) as client:
        assert client.request("GET", "https://localhost/").data == b"Hello from localhost!\n"
