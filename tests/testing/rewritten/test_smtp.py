"""aiosmtplib: a server of preset responses.

In place of tests/testserver/preset_server.py of aiosmtplib, 240 lines.
"""

from typing import Any

import pytest

from answerback.testing import AsyncAnswerback

aiosmtplib = pytest.importorskip("aiosmtplib")

OK = [{"send": "250 OK\r\n"}]
DIALOGUE: list[dict[str, Any]] = [
    {"event": "CONNECT", "do": [{"send": "220 Hello world!\r\n"}]},
    {"when": {"prefix": "EHLO"}, "do": [{"send": "250-here\r\n250 8BITMIME\r\n"}]},
    {
        "when": "DATA",
        "do": [{"send": "354 go ahead\r\n"}, {"receive": {"framing": "dot_stuffed", "into": "body"}}, *OK],
    },
    {"when": "QUIT", "do": [{"send": "221 Goodbye then\r\n"}, "close"]},
    {"do": OK},
]


async def test_mail_is_sent(answerback_async: AsyncAnswerback) -> None:
    server = await answerback_async.listen(framing="line", rules=DIALOGUE)
    async with aiosmtplib.SMTP(hostname=server.host, port=server.port, use_tls=False, start_tls=False) as client:
        errors, response = await client.sendmail("a@example.com", ["b@example.com"], "Subject: hi\n\n.dots\n..stay\n")
        assert (errors, response) == ({}, "OK")
    assert (await server.status()).requests == 5, "EHLO, MAIL, RCPT, DATA, QUIT: the body is none"


@pytest.mark.parametrize(
    "command, reply, error",
    [
        ("MAIL", "530 authentication required\r\n", "SMTPSenderRefused"),
        ("RCPT", "550 no such user\r\n", "SMTPRecipientsRefused"),
        ("DATA", "451 try again\r\n", "SMTPDataError"),
    ],
)
async def test_refusal_is_raised(answerback_async: AsyncAnswerback, command: str, reply: str, error: str) -> None:
    refusing = [{"when": {"prefix": command}, "do": [{"send": reply}]}, *DIALOGUE]
    server = await answerback_async.listen(framing="line", rules=refusing)
    async with aiosmtplib.SMTP(hostname=server.host, port=server.port, use_tls=False, start_tls=False) as client:
        with pytest.raises(getattr(aiosmtplib, error)):
            await client.sendmail("a@example.com", ["b@example.com"], "Subject: hi\n\n")


async def test_connection_that_drops_after_a_command(answerback_async: AsyncAnswerback) -> None:
    server = await answerback_async.listen(
        framing="line", rules=[{"when": {"prefix": "MAIL"}, "do": ["reset"]}, *DIALOGUE]
    )
    client = aiosmtplib.SMTP(hostname=server.host, port=server.port, use_tls=False, start_tls=False)
    await client.connect()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.mail("a@example.com")


async def test_greeting_that_comes_late_is_a_timeout(answerback_async: AsyncAnswerback) -> None:
    server = await answerback_async.listen(framing="line", rules=[{"event": "CONNECT", "do": [{"delay": "1h"}]}])
    client = aiosmtplib.SMTP(hostname=server.host, port=server.port, use_tls=False, start_tls=False, timeout=0.05)
    with pytest.raises(aiosmtplib.SMTPConnectTimeoutError):
        await client.connect()
