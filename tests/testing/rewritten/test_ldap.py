"""LDAP: a directory with one entry, for ldap3 as the client.

In place of hand-written servers of BER messages, which have 150 to 400 lines in public test suites.
"""

from typing import Any

import pytest

from answerback.testing import Answerback

ldap3 = pytest.importorskip("ldap3")

LDAP = {"length_prefix": {"offset": 1, "encoding": "BER"}}


def ber(tag: int, *parts: bytes) -> bytes:
    """One element of BER, of less than 128 bytes."""
    content = b"".join(parts)
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def result(tag: int, code: int = 0) -> bytes:
    return ber(tag, ber(0x0A, bytes([code])), ber(4), ber(4))


def reply(*operations: bytes) -> list[dict[str, Any]]:
    """Messages with the ID of the request: bytes 2 to 4 of a short message."""
    return [
        step
        for operation in operations
        for step in (
            {"send": bytes([0x30, len(operation) + 3])},
            {"send": {"template": "${request[2:5]}"}},
            {"send": operation},
        )
    ]


def operation(tag: bytes) -> dict[str, Any]:
    """Requests with this operation: its tag follows the ID."""
    return {"bytes": {"offset": 5, "equals": tag}}


ENTRY = ber(0x64, ber(4, b"cn=a"), ber(0x30, ber(0x30, ber(4, b"mail"), ber(0x31, ber(4, b"a@example.com")))))
RULES = [
    {"when": {"all": [operation(b"\x60"), {"contains": "secret"}]}, "do": reply(result(0x61))},
    {"when": operation(b"\x60"), "do": reply(result(0x61, 49))},
    {"when": {"all": [operation(b"\x63"), {"contains": "nobody"}]}, "do": reply(result(0x65))},
    {"when": operation(b"\x63"), "do": reply(ENTRY, result(0x65))},
    {"when": operation(b"\x42"), "do": ["close"]},
]


@pytest.fixture
def connection(answerback: Answerback) -> Any:
    server = answerback.listen(framing=LDAP, rules=RULES)

    def connect(password: str) -> Any:
        return ldap3.Connection(
            ldap3.Server(server.host, server.port, get_info=ldap3.NONE), "cn=admin", password, receive_timeout=10
        )

    return connect


def test_entry_is_found_after_a_bind(connection: Any) -> None:
    directory = connection("secret")
    assert directory.bind()
    assert directory.search("dc=example", "(cn=a)", attributes=["mail"])
    assert [(each.entry_dn, each.mail.value) for each in directory.entries] == [("cn=a", "a@example.com")]
    assert not directory.search("dc=example", "(cn=nobody)", attributes=["mail"])
    assert directory.entries == []
    directory.unbind()


def test_wrong_password_is_refused(connection: Any) -> None:
    directory = connection("wrong")
    assert not directory.bind()
    assert directory.result["description"] == "invalidCredentials"
    directory.unbind()
