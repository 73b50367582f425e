"""The names of expressions: what each is, with an example; and the names that framings add."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from answerback.core.expressions import Reads, Type, Value, names
from answerback.core.expressions.values import Evaluate

# Rule: a name is described where it is registered, and nowhere else.


@dataclass(frozen=True, slots=True)
class Name:
    """One name."""

    name: str
    type: Type
    of: Evaluate
    reads: Reads
    doc: str
    example: str
    makes: str
    """The result of the example for the request on the reference page; escaped."""
    needs: str = ""
    """The field of the listener that provides it; empty if every listener does."""

    @property
    def value(self) -> Value:
        """Its value."""
        return Value(self.type, self.of, self.reads)


@dataclass(frozen=True, slots=True)
class FramingField:
    """A name that a framing provides: a function of the context, and of the arguments in brackets after the name.

    `of` reads the field from `context.request` when it is evaluated. A framing whose requests carry more than their
    bytes makes them instances of a subclass of `bytes`, which has the rest as attributes. `of` raises EvaluationError
    for a request of another framing of the listener, where there is no value that stands for nothing.
    """

    name: str
    """The name without brackets: `http.header`."""
    type: Type
    of: Callable[..., Any]
    doc: str
    example: str
    makes: str
    """The result of the example for the framing's `sample`; escaped."""
    arguments: tuple[Type, ...] = ()
    """The types of the arguments in parentheses: `http.header('host')`."""
    index: bool = False
    """Whether an int stands in brackets: `resp.args[0]`."""
    reads: Reads = Reads.FRAMING | Reads.REQUEST
    weight: int = 8
    """The cost of an evaluation, as that of a match: see `matching.effort.Effort.weight`."""


CONNECTION_NUMBER: Final = "connection.number"
"""Drawn at accept where an expression of the listener uses it."""

REPLY: Final = "reply"
"""What the upstream has sent; known in rules on REPLY alone."""

NAMES: Final[dict[str, Name]] = {
    each.name: each
    for each in (
        Name(
            "request",
            Type.BYTES,
            names.request,
            Reads.REQUEST,
            "the request as rules see it; not on events that are no request",
            "request",
            "SET key 42",
        ),
        Name(
            REPLY,
            Type.BYTES,
            names.request,
            Reads.REQUEST,
            "in rules on REPLY: the upstream's reply as rules see it; `request` is the request that it answers, empty "
            "if none was owed a reply",
            "reply + ' to ' + request",
            "+OK to SET key 42",
            "upstream",
        ),
        Name(
            "request_number",
            Type.INT,
            names.request_number,
            Reads.CONNECTION,
            "the number of the request on its connection, from 1; 0 before the first",
            "request_number",
            "3",
        ),
        Name(
            "state",
            Type.BYTES,
            names.state,
            Reads.STATE,
            "the connection's state",
            "state + ' ' + request",
            "ready SET key 42",
        ),
        Name(
            "peer.host",
            Type.BYTES,
            names.peer_host,
            Reads.CONNECTION,
            "the client's address; empty on a Unix socket",
            "peer.host",
            "192.0.2.7",
        ),
        Name(
            "peer.port",
            Type.INT,
            names.peer_port,
            Reads.CONNECTION,
            "the client's port; 0 on a Unix socket",
            "peer.port",
            "40123",
        ),
        Name(
            "proxy.host",
            Type.BYTES,
            names.proxy_host,
            Reads.CONNECTION,
            "the address of the proxy that sent a PROXY header; empty without one, and on a Unix socket. Rejected on a "
            "listener without `proxy_protocol`",
            "proxy.host",
            "198.51.100.1",
            needs="proxy_protocol",
        ),
        Name(
            "local.port",
            Type.INT,
            names.local_port,
            Reads.CONNECTION,
            "the port that the client connected to; 0 on a Unix socket",
            "local.port",
            "7001",
        ),
        Name(
            "connection.id",
            Type.BYTES,
            names.connection_id,
            Reads.CONNECTION,
            "unique among the connections of a run",
            "connection.id",
            "5f2c-1",
        ),
        Name(
            CONNECTION_NUMBER,
            Type.INT,
            names.connection_number,
            Reads.CONNECTION,
            "the number of the connection among those of its listener, from 1, over all workers; not on LIMIT",
            "connection.number",
            "1",
        ),
        Name(
            "tls.sni",
            Type.BYTES,
            names.tls_sni,
            Reads.CONNECTION,
            "the server name that the client asked for; empty without one",
            "tls.sni",
            "db.example.com",
            "tls",
        ),
        Name(
            "tls.alpn",
            Type.BYTES,
            names.tls_alpn,
            Reads.CONNECTION,
            "the protocol of `alpn` that was agreed on; empty without one",
            "tls.alpn",
            "h2",
            "tls",
        ),
        Name(
            "tls.client_name",
            Type.BYTES,
            names.tls_client_name,
            Reads.CONNECTION,
            "the common name of the client's certificate, or else its first alternative name; empty without one",
            "tls.client_name",
            "billing",
            "tls",
        ),
        Name(
            "upstream.error",
            Type.BYTES,
            names.upstream_error,
            Reads.CONNECTION,
            "why no connection to the upstream could be made the last time: the name of an errno, `timeout` or `name`; "
            "empty before that",
            "upstream.error",
            "ECONNREFUSED",
            "upstream",
        ),
        Name("listener", Type.BYTES, names.listener, Reads.NOTHING, "the listener's name", "listener", "it"),
    )
}

CAPTURES: Final = "captures"
VARIABLES: Final = "vars"
RULE: Final = "rule"
SHARED: Final = "shared"

OTHER_NAMES: Final = (
    Name(
        RULE,
        Type.BYTES,
        lambda _context: b"",
        Reads.NOTHING,
        "what the rule is counted under: its name, or `rules[N]`",
        "rule",
        "store",
    ),
    Name(
        "vars.NAME",
        Type.BYTES,
        lambda _context: b"",
        Reads.CONNECTION,
        "a variable of this connection, stored by `set` or `receive`; `vars['NAME']` if it has a `-` or is a keyword",
        "vars.user + vars['not-set']",
        "ann",
    ),
    Name(
        "shared[KEY]",
        Type.BYTES,
        lambda _context: b"",
        Reads.SHARED,
        "a variable that all connections of all workers share, stored by `set` or `add`; empty if it is not set. "
        "`KEY in shared` says whether it is",
        "shared['user:' + key] + ' is not set'",
        " is not set",
    ),
    Name(
        "a name",
        Type.BYTES,
        lambda _context: b"",
        Reads.CAPTURES,
        "what a named group of the rule's patterns matched; `captures['NAME']` if it is a keyword of Python",
        "key + captures['size']",
        "key42",
    ),
    Name(
        "captures[N]",
        Type.BYTES,
        lambda _context: b"",
        Reads.CAPTURES,
        "what group N matched, from 1",
        "captures[2]",
        "key",
    ),
)
"""Names that `lookup` knows by their form."""

ROOTS: Final = frozenset([*(name.partition(".")[0] for name in NAMES), CAPTURES, VARIABLES, RULE, SHARED])
"""The roots of these names, to which framings add theirs. No capture has such a name."""
