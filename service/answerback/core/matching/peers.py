"""Matches by who asks."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from answerback.core.matching.base import Matcher, Miss, Reason
from answerback.core.turn import Turn

# Peers whose addresses are kept as numbers: parsing one takes 2 µs, and most connections ask more than once.
KNOWN_PEERS = 1024


def peer(network: str) -> Matcher:
    """The peer's address is in this network, in CIDR notation (RFC 4632, RFC 4291), or is this address.

    What has no address does not match. Raises ValueError for what is no network, or says more bits than its prefix has.
    """
    allowed = ip_network(network)
    version, first, mask = allowed.version, int(allowed.network_address), int(allowed.netmask)

    def matches(_request: bytes, turn: Turn) -> bool:
        address = _address(turn.peer[0])
        return address is not None and address.version == version and int(address) & mask == first

    return matches


def why_other_peer(network: str) -> Reason:
    """See `peer`."""
    matches = peer(network)

    def reason(request: bytes, turn: Turn) -> Miss | None:
        if matches(request, turn):
            return None
        return Miss(f"comes from {turn.peer[0] or 'what has no address'}, not from {network}")

    return reason


@lru_cache(KNOWN_PEERS)
def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
