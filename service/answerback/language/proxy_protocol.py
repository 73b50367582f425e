"""The PROXY protocol of a listener: what may be wrong with its settings, their defaults, and how they are compiled."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Final

from answerback.core.proxy_header import ProxyProtocol
from answerback.language import bounds, durations
from answerback.language.addresses import is_unix
from answerback.language.context import Checking
from answerback.language.fields import Field, Time, Where, describe
from answerback.language.matching.peer import check_network
from answerback.v1 import config_pb2 as v1

DEFAULTS: Final = ProxyProtocol()
MAX_SENDERS: Final = 100  # each is compared with the address of every new connection

FIELDS: Final = describe(
    v1.ProxyProtocol,
    Where.LISTENER,
    mode=Field("proxy_protocol: OPTIONAL", default="`REQUIRED`"),
    timeout=Time(
        "proxy_protocol: {timeout: 1s}",
        default="`5s`",
        zero="must be more than 0: the time within which the header must arrive",
    ),
    **{
        "from": Field(  # a keyword of Python
            "proxy_protocol: {from: [10.0.0.5, 192.0.2.0/24]}", default="every address", words=f"at most {MAX_SENDERS}"
        )
    },
)


def without_peers(listener: v1.Listener) -> bool:
    """Whether the clients of a listener have no addresses: those of a Unix socket, unless a proxy names them."""
    return is_unix(listener) and not listener.HasField("proxy_protocol")


def check_proxy_protocol(listener: v1.Listener, path: str, checking: Checking) -> None:
    """Report what is wrong with the PROXY protocol of a listener, if it has that."""
    if not listener.HasField("proxy_protocol"):
        return
    given, at = listener.proxy_protocol, f"{path}.proxy_protocol"
    FIELDS.check(given, at, checking)
    bounds.enum(v1.ProxyProtocol.Mode.DESCRIPTOR, given.mode, f"{at}.mode", checking.problems)
    senders = _senders(given)
    if len(senders) > MAX_SENDERS:
        checking.add(f"{at}.from", f"{len(senders)} addresses and networks; the maximum is {MAX_SENDERS}")
    for index, sender in enumerate(senders[:MAX_SENDERS]):
        check_network(sender, f"{at}.from[{index}]", checking)
    if senders and is_unix(listener):
        why = "who connects to a Unix socket has no address: file permissions say who may connect"
        checking.add(f"{at}.from", why)
    if given.mode != v1.ProxyProtocol.MODE_OPTIONAL:
        return
    for index, rule in enumerate(listener.rules):
        if rule.event == v1.EVENT_CONNECT:
            why = "with `proxy_protocol: OPTIONAL`, a client that waits for the server would wait for the whole timeout"
            checking.add(f"{path}.rules[{index}].event", why)


def compile_proxy_protocol(listener: v1.Listener) -> ProxyProtocol | None:
    """Return the settings, defaults filled in; None if connections do not begin with a header."""
    if not listener.HasField("proxy_protocol"):
        return None
    given = listener.proxy_protocol
    return ProxyProtocol(
        required=given.mode != v1.ProxyProtocol.MODE_OPTIONAL,
        senders=tuple(map(ip_network, _senders(given))),
        timeout=durations.seconds(given.timeout) if given.HasField("timeout") else DEFAULTS.timeout,
    )


def _senders(given: v1.ProxyProtocol) -> Sequence[str]:
    senders: Sequence[str] = getattr(given, "from")  # a keyword of Python
    return senders
