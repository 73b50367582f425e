"""Exchanges as text, for errors and reports."""

# Rule: as in `server`, only the standard library at the top. Nothing here raises for what a client has sent.

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from answerback.client import Body, Client, Exchange, Nearest

LATEST: Final = 20  # exchanges of each listener that a report shows
BYTES: Final = 200  # of a request or a reply
SECONDS: Final = 2.0  # for a report: a test has failed already


def conversation(client: "Client", listeners: Iterable[str]) -> str:
    """Return the latest exchanges of some listeners; empty if there were none."""
    hurried = client.with_timeout(SECONDS)
    found = [hurried.list_exchanges(listener=name, limit=LATEST, newest=True) for name in listeners]
    return "\n".join(line for exchanges in found for exchange in exchanges for line in lines(exchange))


def shown(text: str, exchanges: "Sequence[Exchange]", nearest: "Sequence[Nearest]") -> str:
    """Return what was expected, what matches, and what nearly does."""
    told = [text]
    if exchanges:
        told += ["these match:", *(f"  {line}" for exchange in exchanges for line in lines(exchange))]
    if nearest:
        told.append("the nearest:")
        for each in nearest:
            told += [*(f"  {line}" for line in lines(each.exchange)), f"    {each.why}"]
    return "\n".join(told)


def lines(exchange: "Exchange") -> Iterable[str]:
    """Yield an exchange as a conversation."""
    yield f"{exchange.listener} connection {exchange.connection} request {exchange.number}"
    yield f"  > {_bytes(exchange.request)}"
    if exchange.rule:
        how = f"rule {exchange.rule}"
    else:
        how = "no rule matched" + (f": {exchange.mismatch}" if exchange.mismatch else "")
    faults = f", faults {', '.join(exchange.faults)}" if exchange.faults else ""
    state = "" if exchange.state == "DONE" else f", {exchange.state.lower().replace('_', ' ')}"
    yield f"  < {_bytes(exchange.reply)}  ({how}{faults}{state})"


def _bytes(body: "Body | None") -> str:
    if body is None or not body.size:
        return "(nothing)"
    shown = repr(body.data[:BYTES])[1:]
    return shown if body.size <= BYTES else f"{shown}… ({body.size} bytes)"
