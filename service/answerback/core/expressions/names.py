"""The names of expressions, which read values from the request's context."""

from operator import attrgetter
from typing import Any, Final

from answerback.core.context import RequestContext
from answerback.core.expressions.values import Evaluate, Reads, Type, Value

# Rule: a missing value is empty; nothing here raises.

request: Final[Evaluate] = attrgetter("request")
answered: Final[Evaluate] = attrgetter("answered")
state: Final[Evaluate] = lambda context: context.state.encode()  # noqa: E731
peer_host: Final[Evaluate] = lambda context: context.peer[0].encode()  # noqa: E731
peer_port: Final[Evaluate] = lambda context: context.peer[1]  # noqa: E731
proxy_host: Final[Evaluate] = lambda context: context.proxy_host.encode()  # noqa: E731
local_port: Final[Evaluate] = attrgetter("local_port")
listener: Final[Evaluate] = lambda context: context.listener.encode()  # noqa: E731
connection_id: Final[Evaluate] = lambda context: context.connection_id.encode()  # noqa: E731
connection_number: Final[Evaluate] = attrgetter("listener_number")
request_number: Final[Evaluate] = attrgetter("number")
tls_sni: Final[Evaluate] = lambda context: context.tls.sni if context.tls else b""  # noqa: E731
tls_alpn: Final[Evaluate] = lambda context: context.tls.alpn if context.tls else b""  # noqa: E731
tls_client_name: Final[Evaluate] = lambda context: context.tls.client_name if context.tls else b""  # noqa: E731

upstream_error: Final[Evaluate] = lambda context: context.upstream_error.encode()  # noqa: E731


def variable(name: str) -> Value:
    """The variable of this name; empty if it is not set."""
    return Value(Type.BYTES, lambda context: context.variables.get(name, b""), Reads.CONNECTION)


def shared(context: RequestContext, key: bytes) -> bytes:
    """The variable of this key that all connections share; empty if it is not set."""
    return context.shared.get(key) or b""


def is_shared(context: RequestContext, key: bytes) -> bool:
    """Whether a variable of this key is set, which all connections share."""
    return context.shared.get(key) is not None


def capture(key: int | str) -> Value:
    """A group of the patterns that made the rule match; empty if it did not participate."""
    # RE2 in its Latin-1 mode names groups in bytes.
    group: Any = key.encode() if isinstance(key, str) else key

    def captured(context: RequestContext) -> bytes:
        captures = context.captures
        if captures is None:
            return b""
        try:
            return captures.group(group) or b""
        except IndexError:  # the group belongs to another pattern of the rule
            return b""

    return Value(Type.BYTES, captured, Reads.CAPTURES)
