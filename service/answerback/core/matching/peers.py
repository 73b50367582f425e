"""The match by the client's address."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from answerback.core.context import RequestContext
from answerback.core.matching.base import Explainer, Matcher, Mismatch

# Number of peers whose parsed addresses are cached: parsing takes 2 µs, and most connections ask more than once.
KNOWN_PEERS = 1024


def peer(network: str) -> Matcher:
    """The peer's address is in this network, in CIDR notation (RFC 4632, RFC 4291), or is this address.

    A peer without an address (Unix socket) does not match. Raises ValueError for an invalid network, and for one with
    bits set beyond its prefix.
    """
    allowed = ip_network(network)
    version, first, mask = allowed.version, int(allowed.network_address), int(allowed.netmask)

    def matches(_request: bytes, context: RequestContext) -> bool:
        address = _address(context.peer[0])
        return address is not None and address.version == version and int(address) & mask == first

    return matches


def explain_peer(network: str) -> Explainer:
    """Explain `peer`."""
    matches = peer(network)

    def explain(request: bytes, context: RequestContext) -> Mismatch | None:
        if matches(request, context):
            return None
        return Mismatch(f"comes from {context.peer[0] or 'a Unix socket'}, not from {network}")

    return explain


@lru_cache(KNOWN_PEERS)
def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
