"""The examples `postgres`, `mysql` and `smtp` against the drivers and mail clients of PyPI and Debian."""

import smtplib
from collections.abc import Iterator

import pytest

from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.programs.test_examples import HOST, listener
from tests.programs.test_programs import output

aiosmtplib = pytest.importorskip("aiosmtplib")
psycopg = pytest.importorskip("psycopg")
pymysql = pytest.importorskip("pymysql")

pytestmark = pytest.mark.programs

Ports = dict[str, int]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """One server for all of these tests: the ports of its listeners."""
    found = {name: free_port() for name in ("postgres", "mysql", "smtp")}
    config = v1.Config(listeners=[listener(name, str(port)) for name, port in found.items()])
    with serving(RunningServer(0, free_port(), free_port()), dump(config), tmp_path_factory.mktemp("logins")):
        yield found


# ── PostgreSQL ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_psycopg_gets_its_parameters_back(ports: Ports) -> None:
    address = f"host={HOST} port={ports['postgres']} user=any dbname=any connect_timeout=10"
    with psycopg.connect(address) as client:
        assert client.info.server_version == 160_000
        for value in ("text", "", "ä" * 10_000, 5, -70_000, 2**40, True, None, b"\x00\xff"):
            assert client.execute("select %s", [value]).fetchall() == [(value,)]
        assert client.execute("select %s, %s", ["first", "second"]).fetchall() == [("first",)]
        for number in range(12):  # prepared from the sixth time on, each with a type of its own
            assert client.execute("select %s", [number]).fetchone() == (number,)
            assert client.execute("select %s as text", [str(number)]).fetchone() == (str(number),)
        cursor = client.execute("select %b", ["binary"])
        assert (cursor.fetchall(), cursor.rowcount, cursor.description[0].name) == ([("binary",)], 1, "value")


def test_psycopg_keeps_transactions_and_recovers_from_errors(ports: Ports) -> None:
    status = psycopg.pq.TransactionStatus
    with psycopg.connect(f"host={HOST} port={ports['postgres']} user=any connect_timeout=10") as client:
        assert client.info.transaction_status == status.IDLE
        assert client.execute("select 42").fetchall() == [(42,)]
        assert client.info.transaction_status == status.INTRANS
        client.commit()
        assert client.info.transaction_status == status.IDLE
        assert client.execute("create table t (n int)").statusmessage == "CREATE"
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="only SELECT"):
            client.execute("insert into t values (%s)", [1])
        assert client.execute("select %s", ["again"]).fetchall() == [("again",)]


def test_psycopg_pipelines_queries(ports: Ports) -> None:
    address = f"host={HOST} port={ports['postgres']} user=any connect_timeout=10"
    with psycopg.connect(address, autocommit=True) as client, client.pipeline():
        cursors = [client.execute("select %s", [number]) for number in range(50)]
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(50)]


def test_psql_prints_a_number(ports: Ports) -> None:
    command = ["psql", "-h", HOST, "-p", str(ports["postgres"]), "-U", "any", "-At", "-c", "select 17"]
    assert output(*command) == "17\n"


# ── MySQL ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pymysql_logs_in_and_selects(ports: Ports) -> None:
    client = pymysql.connect(
        host=HOST, port=ports["mysql"], user="any", password="any", database="any", read_timeout=10
    )
    with client, client.cursor() as cursor:
        assert client.get_server_info() == "8.0.0"
        for query, value in (("SELECT 1", 1), ("SELECT -5", -5), ("SELECT 'a b'", "a b"), ("SELECT ''", "")):
            assert cursor.execute(query) == 1
            assert cursor.fetchall() == ((value,),)
        cursor.execute("SELECT %s", ["ä" * 125])
        assert cursor.fetchone() == ("ä" * 125,)
        client.ping(reconnect=False)
        client.select_db("other")
        client.commit()
        with pytest.raises(pymysql.err.ProgrammingError, match="not supported"):
            cursor.execute("SELECT * FROM t")
        assert cursor.execute("SELECT 2") == 1


# ── Mail ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_smtplib_greets_resets_and_logs_in(ports: Ports) -> None:
    with smtplib.SMTP(HOST, ports["smtp"], timeout=10) as client:
        assert client.helo("client.test") == (250, b"mail.test")
        assert client.noop() == (250, b"OK")
        assert client.verify("ada")[0] == 252
        client.mail("a@test")
        assert client.rset() == (250, b"OK")
        assert client.rcpt("b@test") == (503, b"bad sequence")
        client.ehlo("client.test")
        client.user, client.password = "ada", "lovelace"
        assert client.auth("PLAIN", client.auth_plain, initial_response_ok=False) == (235, b"welcome")
        assert client.login("ada", "lovelace") == (235, b"welcome")
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            client.login("ada", "babbage")


@pytest.mark.parametrize("body, size", [("", 2), (".", 3), ("..x\r\n\r\n.y", 11), ("\r\n.\r\n", 5)])
async def test_aiosmtplib_sends_an_empty_message_and_dots(ports: Ports, body: str, size: int) -> None:
    client = aiosmtplib.SMTP(hostname=HOST, port=ports["smtp"], timeout=10, start_tls=False)
    async with client:
        await client.login("ada", "lovelace")
        await client.mail("a@test")
        await client.rcpt("b@test")
        assert (await client.data(body)).message == f"queued {size} bytes"


def test_swaks_logs_in_before_it_sends(ports: Ports) -> None:
    command = ["swaks", "--server", f"{HOST}:{ports['smtp']}", "--from", "a@test", "--to", "b@test"]
    said = output(*command, "--auth", "PLAIN", "--auth-user", "ada", "--auth-password", "lovelace", "--body", ".dot")
    assert "<-  235 welcome" in said
    assert "<-  250 queued " in said
