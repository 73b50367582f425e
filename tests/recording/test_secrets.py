"""Secrets are in neither the configuration nor the talk, and rules accept any in their place."""

import base64

import pytest

from answerback.document.document import load
from answerback.recording import outcome_of
from tests.recording.talking import FIN, Said, c, pieces, recording, s

SECRET = b"hunter2-hunter2"
PLAIN = base64.b64encode(b"\0me\0" + SECRET)

CONVERSATIONS: dict[str, tuple[bytes, list[Said]]] = {
    "redis": (SECRET, c(b"*2\r\n$4\r\nAUTH\r\n$15\r\n" + SECRET + b"\r\n")),
    "redis with a user": (SECRET, c(b"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$15\r\n" + SECRET + b"\r\n")),
    "pop3": (SECRET, c(b"PASS " + SECRET + b"\r\n")),
    "imap": (SECRET, c(b"a1 LOGIN me " + SECRET + b"\r\n")),
    "smtp": (PLAIN, c(b"AUTH PLAIN " + PLAIN + b"\r\n")),
    "smtp after a challenge": (PLAIN, [*c(b"AUTH PLAIN\r\n"), *s(b"334 \r\n"), *c(PLAIN + b"\r\n")]),
    "http": (SECRET, c(b"GET / HTTP/1.1\r\nAuthorization: Bearer " + SECRET + b"\r\n\r\n")),
    "cookie": (b"sid=" + SECRET, c(b"GET / HTTP/1.1\r\nCookie: sid=" + SECRET + b"\r\n\r\n")),
    "form": (SECRET, c(b"POST / HTTP/1.1\r\nContent-Length: 32\r\n\r\nuser=me&password=" + SECRET)),
    "json": (SECRET, c(b'{"token": "' + SECRET + b'"}\n')),
}


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_secret_is_in_no_file(kind: str) -> None:
    secret, said = CONVERSATIONS[kind]
    outcome = outcome_of(recording(pieces(said, s(b"ok " + secret + b"\r\n"), c(FIN))), "127.0.0.1:7000", redact=True)
    assert outcome.problems == []
    for text in (outcome.configuration, outcome.talk):
        assert secret.decode() not in text
        assert "x" * len(secret) in text


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_rule_accepts_another_secret(kind: str) -> None:
    _, said = CONVERSATIONS[kind]
    outcome = outcome_of(recording(pieces(said, s(b"ok\r\n"), c(FIN))), "127.0.0.1:7000", redact=True)
    regexes = [rule.when.regex for rule in load(outcome.configuration).config.listeners[0].rules if rule.when.regex]
    assert len(regexes) == 1
    assert r"[^\r\n]*" in regexes[0]
    assert "xxxx" not in regexes[0]


def test_without_secrets_nothing_is_changed() -> None:
    made = recording(pieces(c(b"AUTH LOGIN\r\n"), s(b"504 no\r\n"), c(b"PASS\r\n"), s(b"-ERR\r\n"), c(FIN)))
    assert outcome_of(made, "127.0.0.1:1", redact=True) == outcome_of(made, "127.0.0.1:1")


def test_secret_that_is_asked_for_twice_has_one_rule() -> None:
    def login(secret: bytes) -> list[Said]:
        return [*c(b"PASS " + secret + b"\r\n"), *s(b"+OK\r\n"), *c(FIN)]

    made = recording(pieces(login(b"first-one")), pieces(login(b"another"), connection=2))
    outcome = outcome_of(made, "127.0.0.1:1", redact=True)
    assert (outcome.rules, outcome.problems) == (1, [])
