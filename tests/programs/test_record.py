"""Real conversations with real servers: recorded, then replayed without the server, by the same clients."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.programs.conftest import ANSWERBACK, running
from tests.programs.real_servers import listening, postgres, started
from tests.waiting import eventually

aiosmtplib = pytest.importorskip("aiosmtplib")
psycopg = pytest.importorskip("psycopg")

pytestmark = pytest.mark.programs

Talk = Callable[[int], object]
"""What a client does on a port, and what it saw."""


def replayed(folder: Path, upstream: int, stop: Callable[[], object], talk: Talk, *, connections: int) -> None:
    """Record a client's conversation, stop the server, and let the client repeat it; it has to see the same."""
    port, copy = free_port(), folder / "copy.yaml"
    command = [str(ANSWERBACK), "record", "--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream}"]
    command += ["-o", str(copy), "--connections", str(connections)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("recording on ")
    seen = talk(port)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "framing (sure)" in out
    stop()
    serve = [str(ANSWERBACK), "serve", "--config", str(copy), "--admin", f"127.0.0.1:{free_port()}", "--metrics", "off"]
    with running(serve, folder / "answerback.log"):
        eventually(lambda: listening(port), what="the copy serves")
        assert talk(port) == seen
        played = subprocess.run([ANSWERBACK, "play", folder / "copy.talk"], capture_output=True, text=True, check=False)
        assert played.returncode == 0, played.stderr


def test_redis_cli_gets_the_recorded_replies(tmp_path: Path) -> None:
    port = free_port()
    commands = "SET greeting hello\nGET greeting\nINCR visits\nINCR visits\nGET nothing\nLPUSH l a b\nLRANGE l 0 -1\n"

    def talk(port: int) -> str:
        client = ["redis-cli", "-p", str(port)]
        return subprocess.run(client, input=commands, capture_output=True, text=True, check=True, timeout=20).stdout

    server = ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with started(server, tmp_path, port) as stop:
        replayed(tmp_path, port, stop, talk, connections=1)


def test_psycopg_gets_the_recorded_rows(tmp_path: Path) -> None:
    port = free_port()

    def talk(port: int) -> list[object]:
        with psycopg.connect(f"host=127.0.0.1 port={port} user=me dbname=postgres sslmode=disable") as connection:
            rows = connection.execute("SELECT n, 'row ' || n FROM generate_series(1, 3) AS n").fetchall()
            return [*rows, *connection.execute("SELECT %s::int + 1", (41,)).fetchall()]

    with postgres(port) as stop:
        replayed(tmp_path, port, stop, talk, connections=1)


def test_smtp_client_gets_the_recorded_replies(tmp_path: Path) -> None:
    port = free_port()
    mail = "From: me@example.com\r\nTo: you@example.com\r\nSubject: hi\r\n\r\nHello\r\n..and a dot\r\n"

    async def send(port: int) -> list[object]:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="me") as client:
            greeted = await client.ehlo()
            sent = await client.sendmail("me@example.com", ["you@example.com", "her@example.com"], mail)
            refused = await client.execute_command(b"NONSENSE")
            return [str(greeted), sent, str(refused)]

    server = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Sink"]
    with started(server, tmp_path, port) as stop:
        replayed(tmp_path, port, stop, lambda port: asyncio.run(send(port)), connections=1)
