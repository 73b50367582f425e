"""`peer`: the peer's address is this one, or in this network."""

from ipaddress import ip_network

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.peers import explain_peer
from answerback.language.context import Checking, Compiling
from answerback.language.matching.base import MATCHES, MatchKind
from answerback.language.problems import quoted


def check_network(given: str, path: str, checking: Checking) -> None:
    """Report what is no address or network, or has bits that its prefix does not have."""
    try:
        network = ip_network(given, strict=False)
    except ValueError:
        network = None
    if network is None or "%" in given:
        checking.add(path, f"an address or network is expected, like 192.0.2.7 or 10.0.0.0/8, not {quoted(given)}")
        return
    try:
        ip_network(given)
    except ValueError:
        checking.add(path, f"{quoted(given)} says more bits than its prefix has: write {network}")


@MATCHES.kind("peer")
class PeerKind(MatchKind):
    """The peer's address is this one, or in this network."""

    words = "an IP address or a network"
    example = "when: {peer: 10.0.0.0/8}"
    needs_request = False
    on_unix = "never matches: peers of a Unix socket have no address"

    def check(self, given: str, path: str, checking: Checking) -> None:
        """An address or a network, without bits that its prefix does not have."""
        check_network(given, path, checking)

    @override
    def compile(self, given: str, compiling: Compiling) -> matching.Matcher:
        return matching.peer(given)

    def explain(self, given: str, compiling: Compiling) -> matching.Explainer:  # noqa: ARG002 - it has no bytes
        """Name the address that it comes from."""
        return explain_peer(given)
