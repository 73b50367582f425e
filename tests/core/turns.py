"""Contexts for matches and templates without a session."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from answerback.core import patterns
from answerback.core.context import Captures, RequestContext
from answerback.explain.fake_connection import FakeConnection
from tests.core.playbook import Account

MOMENT = datetime(2025, 1, 2, 3, 4, 5, 67890, tzinfo=UTC)


@dataclass
class Groups:
    """A match, without a pattern: what its groups are, by number and by name in bytes, as RE2 has them."""

    found: Mapping[int | bytes, bytes | None]

    def group(self, group: int | str | bytes, /) -> bytes | None:
        assert not isinstance(group, str), "RE2 in its Latin-1 mode names groups in bytes"
        if group not in self.found:
            raise IndexError(group)
        return self.found[group]


@dataclass(frozen=True)
class Said:
    """What a client said in its handshake."""

    sni: bytes = b"db.example.com"
    alpn: bytes = b"h2"
    client_name: bytes = b"billing"


class MadeUp(RequestContext):
    """A turn of which everything can be said."""

    def __init__(
        self,
        request: bytes = b"",
        captures: Captures | None = None,
        state: str = "",
        number: int = 1,
        variables: dict[str, bytes] | None = None,
        listener: str = "it",
        connection_id: str = "5f2c-1",
        peer: tuple[str, int] = ("192.0.2.7", 40123),
        local_port: int = 7001,
        proxy_host: str = "198.51.100.1",
        seed: int = 7,
        moment: datetime = MOMENT,
    ) -> None:
        connection = FakeConnection(
            peer, local_port, random.Random(seed), lambda: moment, lambda: 0.0, proxy_host, connection_id
        )
        connection.tls = Said()
        super().__init__(listener, connection, Account())
        self.seed = seed
        self.request = request
        self.captures = captures
        self.state = state
        self.number = number
        self.variables.update(variables or {})
        self.upstream_error = "ECONNREFUSED"


def matched(pattern: str, request: bytes, **rest: str | int | dict[str, bytes]) -> MadeUp:
    """The turn of a request that this pattern made a rule match."""
    captures = patterns.compile(pattern).search(request)
    assert captures is not None
    return MadeUp(request, captures, **rest)  # type: ignore[arg-type]
