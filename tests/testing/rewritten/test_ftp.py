"""FTP: the dialogue of ftplib, with data connections.

In place of the handlers and the server of CPython's Lib/test/test_ftplib.py, 250 lines without TLS.
"""

import ftplib
import io
from typing import Any

import pytest

from answerback.testing import Answerback, Listener

RETRIEVED = "abcde12345\r\n" * 1000


def ftp(answerback: Answerback, data: Listener, *first: dict[str, Any]) -> ftplib.FTP:
    """A client of a server with one data port; both replies to a transfer come at once, as its data comes elsewhere."""
    passive = f"227 entering passive mode (127,0,0,1,{data.port // 256},{data.port % 256})\r\n"
    replies = {
        "USER": "331 username ok\r\n",
        "PASS": "230 password ok\r\n",
        "TYPE": "200 type ok\r\n",
        "PASV": passive,
        "RETR": "125 retr ok\r\n226 transfer complete\r\n",
        "STOR": "125 stor ok\r\n226 transfer complete\r\n",
        "NLST": "125 nlst ok\r\n226 transfer complete\r\n",
        "PWD": '257 "pwd ok"\r\n',
        "RNFR": "350 rnfr ok\r\n",
        "RNTO": "250 rnto ok\r\n",
        "DELE": "250 dele ok\r\n",
        "SIZE": "213 1000\r\n",
    }
    server = answerback.listen(
        framing="line",
        rules=[
            {"event": "CONNECT", "do": [{"send": "220 welcome\r\n"}]},
            *first,
            *({"when": {"prefix": command}, "do": [{"send": reply}]} for command, reply in replies.items()),
            {"when": "QUIT", "do": [{"send": "221 quit ok\r\n"}, "close"]},
            {"do": [{"send": "550 not understood\r\n"}]},
        ],
    )
    client = ftplib.FTP(timeout=10)
    client.connect(*server.address)
    client.login("user", "secret")
    return client


def sending(answerback: Answerback, text: str) -> Listener:
    return answerback.listen(rules=[{"event": "CONNECT", "do": [{"send": text}, "close"]}])


def test_file_is_retrieved_and_names_are_listed(answerback: Answerback) -> None:
    received: list[bytes] = []
    with ftp(answerback, sending(answerback, RETRIEVED)) as client:
        client.retrbinary("RETR file", received.append)
    assert b"".join(received).decode() == RETRIEVED
    with ftp(answerback, sending(answerback, "foo\r\nbar\r\n")) as client:
        assert client.nlst() == ["foo", "bar"]


def test_file_is_stored(answerback: Answerback) -> None:
    data = answerback.listen(framing="until_eof", rules=[{"when": {"equals": RETRIEVED}, "do": ["close"]}])
    with ftp(answerback, data) as client:
        client.storbinary("STOR file", io.BytesIO(RETRIEVED.encode()))
        assert data.status().requests == 1


def test_commands_and_errors(answerback: Answerback) -> None:
    data = answerback.listen()
    refusal = {"when": "DELE busy", "do": [{"send": "450 busy\r\n"}]}
    with ftp(answerback, data, refusal) as client:
        assert (client.getwelcome(), client.pwd(), client.size("file")) == ("220 welcome", "pwd ok", 1000)
        assert client.rename("a", "b") == "250 rnto ok"
        assert client.delete("file") == "250 dele ok"
        with pytest.raises(ftplib.error_temp, match="450 busy"):
            client.delete("busy")
        with pytest.raises(ftplib.error_perm, match="550 not understood"):
            client.sendcmd("FEAT")


def test_line_without_end_is_too_long(answerback: Answerback) -> None:
    endless = {"when": "NOOP", "do": [{"send": "200 " + "x" * 9000 + "\r\n"}]}
    client = ftp(answerback, answerback.listen(), endless)
    with pytest.raises(ftplib.Error, match="got more than 8192 bytes"):
        client.voidcmd("NOOP")
    client.close()
