from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching
from tests.core.matching.turns import asked
from tests.core.turns import MadeUp

PEERS = [
    ("10.0.0.0/8", "10.1.2.3", True),
    ("10.0.0.0/8", "11.0.0.1", False),
    ("192.0.2.7", "192.0.2.7", True),
    ("192.0.2.7", "192.0.2.8", False),
    ("0.0.0.0/0", "203.0.113.9", True),
    ("0.0.0.0/0", "2001:db8::1", False),
    ("2001:db8::/32", "2001:db8:1::1", True),
    ("2001:db8::/32", "2001:db9::1", False),
    ("fe80::/10", "fe80::1%eth0", True),
    ("::/0", "10.0.0.1", False),
    ("0.0.0.0/0", "", False),  # a peer without an address
]


@pytest.mark.parametrize("network, host, inside", PEERS)
def test_peer_match_holds_for_addresses_of_its_network(network: str, host: str, inside: bool) -> None:
    assert asked(matching.peer(network), b"", MadeUp(peer=(host, 40000))) is inside


@given(address=st.ip_addresses(), of=st.ip_addresses(), prefix=st.integers(0, 32))
def test_peer_match_agrees_with_python_ipaddress(address: object, of: object, prefix: int) -> None:
    network = ip_network(f"{of}/{prefix}", strict=False)
    turn = MadeUp(peer=(str(address), 1))
    assert asked(matching.peer(str(network)), b"", turn) == (ip_address(str(address)) in network)


@pytest.mark.parametrize("network", ["", "example.org", "10.0.0.0/33", "10.0.0.1/8", "1.2.3"])
def test_peer_match_with_invalid_network_is_rejected(network: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits"):
        matching.peer(network)
