"""What `answerback explain` explains: a file, the active configuration of a server, or an exchange of its journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from answerback.cli import exchanges, source

if TYPE_CHECKING:
    from answerback.cli.client import Client
    from answerback.language.contents import Files
    from answerback.v1 import config_pb2 as v1


@dataclass(frozen=True, slots=True)
class Explained:
    """A configuration, and what to do with it."""

    name: str
    """Where it is from."""
    config: "v1.Config"
    files: "Files"
    notes: Sequence[str] = ()
    """What to know about the explanation."""
    listener: str | None = None
    """The listener of the exchange."""
    peer: str = ""
    """The client of the exchange."""
    requests: Sequence[bytes] | None = None
    """Those of the connection up to the exchange; None without one."""
    exchange: dict[str, Any] | None = None
    """The exchange as data for JSON."""

    def listener_of(self, name: str | None) -> "v1.Listener":
        """The listener of the exchange, or the one of this name; the first without a name.

        Raises UsageError, and NoAnswer for one that relays.
        """
        from answerback.language.upstreams import is_stream

        names = [listener.name for listener in self.config.listeners]
        wanted = self.listener if self.listener is not None else name
        if wanted is not None and wanted not in names:
            what = "--listener" if self.listener is None else "--exchange"
            raise click.UsageError(f"{what}: no listener {wanted!r}; known: {', '.join(names)}")
        listener = self.config.listeners[0 if wanted is None else names.index(wanted)]
        if listener.HasField("upstream") and is_stream(listener):
            raise source.NoAnswer(
                f"{self.name}: the listener {listener.name} relays to {listener.upstream.address}: bytes, FIN and RST "
                "pass unchanged in both directions, so there is no reply to explain"
            )
        return listener


def from_file(file: str) -> Explained:
    """A configuration file that could be served. Raises ClickException with every problem, exit code 2."""
    try:
        examined = source.examine(file)
    except click.ClickException as unreadable:
        raise source.NoAnswer(unreadable.message) from None
    if examined.problems:
        raise source.NoAnswer(source.refuse(file, examined.problems, "nothing to explain").message)
    return _with_listeners(Explained(source.name(file), examined.config, examined.files))


def from_server(server: str, timeout: float) -> Explained:
    """The active configuration of a server. Raises ClickException, exit code 2."""
    from answerback.cli.client import connected

    try:
        with connected(server, timeout) as client:
            return _active(client, server)
    except click.ClickException as error:
        raise source.NoAnswer(error.message) from None


def from_exchange(server: str, timeout: float, wanted: str) -> Explained:
    """An exchange of a server's journal, and those before it on its connection. Raises ClickException, exit code 2."""
    from dataclasses import replace

    from answerback.cli.client import connected

    try:
        with connected(server, timeout) as client:
            explained = _active(client, server)
            exchange = _found(client, wanted)
            earlier = _earlier(client, exchange)
    except click.ClickException as error:
        raise source.NoAnswer(error.message) from None
    return replace(
        explained,
        listener=exchange.listener,
        peer=exchange.peer.rpartition(":")[0].strip("[]"),
        requests=[each.request.data for each in (*earlier, exchange)],
        exchange=exchanges.as_data(exchange),
        notes=[*explained.notes, *_notes(exchange, earlier)],
    )


def _active(client: "Client", server: str) -> Explained:
    from answerback.language.check import check
    from answerback.language.files import file_names

    active = client.get_config()
    named = sorted({name for _, name in file_names(active.config)})
    note = f"the contents of {', '.join(named)} are on the server only: a text stands in for each of them"
    name = f"revision {active.revision} of {server}"
    files = {file: f"(the content of {file})".encode() for file in named}
    if problems := check(active.config, files):
        raise source.refuse(name, problems, "nothing to explain: the server has another version")
    return _with_listeners(Explained(name, active.config, files, [note] if named else []))


def _with_listeners(explained: Explained) -> Explained:
    if not explained.config.listeners:
        raise click.UsageError(f"{explained.name}: it has no listener")
    return explained


def _found(client: "Client", wanted: str) -> Any:
    """The exchange: by its ID, or by its connection and number, as `requests` shows it."""
    from answerback.v1.journal_service_pb2 import ExchangeFilter

    connection, sign, number = wanted.partition("#")
    which = ExchangeFilter(connection=connection) if sign else ExchangeFilter(id=wanted)
    for exchange in client.list_exchanges(which, None):
        if not sign or str(exchange.number) == number:
            return exchange
    raise click.ClickException(f"the journal has no exchange {wanted}: `answerback requests` lists those that are kept")


def _earlier(client: "Client", exchange: Any) -> list[Any]:
    """The exchanges before it on its connection, as far as they are kept."""
    from answerback.v1.journal_service_pb2 import ExchangeFilter

    kept = client.list_exchanges(ExchangeFilter(connection=exchange.connection), None)
    return sorted((each for each in kept if each.number < exchange.number), key=lambda each: each.number)


def _notes(exchange: Any, earlier: Sequence[Any]) -> list[str]:
    """What was recorded, and what of it the explanation cannot know."""
    answered = f"answered by {exchange.rule}" if exchange.rule else "matched by no rule"
    which = f"request {exchange.number} of connection {exchange.connection} at {exchange.listener}"
    notes = [f"{which}, {answered}; explained with the active configuration"]
    if len(earlier) < exchange.number - 1:
        notes.append(f"{exchange.number - 1 - len(earlier)} earlier requests of the connection are not in the journal")
    cut = sum(each.request.truncated for each in (*earlier, exchange))
    if cut:
        notes.append(f"the journal has only the beginning of {cut} of the requests (`journal.body_bytes`)")
    return notes
