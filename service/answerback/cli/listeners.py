"""`answerback listeners`, and what is below it."""

from typing import TYPE_CHECKING, Any

import click

from answerback.cli import options, source

if TYPE_CHECKING:
    from answerback.document.document import Document

NAME = click.option("--name", default="", metavar="NAME", help="Listener of FILE to use; needed if FILE has several.")
MISSING = click.option("--allow-missing", is_flag=True, help="Succeed if the listener does not exist.")


@click.group(
    "listeners",
    invoke_without_command=True,
    short_help="List the listeners, or change one.",
    epilog="""\b
Examples:
  answerback listeners
  answerback listeners get smtp > smtp.yaml
  answerback listeners update smtp.yaml --field rules
  answerback listeners -o json | jq .listeners[].address""",
)
@options.output("table", "json", "yaml")
@options.server
@click.pass_context
def command(context: click.Context, form: str, server: str, timeout: float) -> None:
    """List the listeners of the active configuration by name. Subcommands change one listener only."""
    if context.invoked_subcommand is not None:
        return
    _list(form, server, timeout)


@command.command(
    "list",
    short_help="List the listeners.",
    epilog="""\b
Examples:
  answerback listeners list
  answerback listeners list -o json | jq -r '.listeners[] | .name + " " + .bound_address'""",
)
@options.output("table", "json", "yaml")
@options.server
def list_(form: str, server: str, timeout: float) -> None:
    """List the listeners of the active configuration by name, as `answerback listeners` does.

    The table shows the address that is bound, with its port. The data has it as `bound_address`, beside the `address`
    of the configuration.
    """
    _list(form, server, timeout)


def _list(form: str, server: str, timeout: float) -> None:
    from answerback.cli import output
    from answerback.cli.client import connected

    with connected(server, timeout) as client:
        bound = {one.name: one.address for one in client.get_status().listeners}
        listeners = list(client.list_listeners())
    if form != "table":
        data = [{**output.canonical(one), "bound_address": bound.get(one.name, "")} for one in listeners]
        output.write({"listeners": data}, form)
        return
    output.table(
        ("LISTENER", "ADDRESS", "ENGINE", "FRAMING", "RULES", "FAULTS"),
        (
            (
                one.name,
                bound.get(one.name) or one.address,
                _engine(one),
                one.framing.WhichOneof("kind") or "read",
                len(one.rules),
                len(one.faults),
            )
            for one in listeners
        ),
    )


@command.command(
    "get",
    short_help="Print one listener.",
    epilog="""\b
Examples:
  answerback listeners get smtp
  answerback listeners get smtp -o json | jq .listeners[0].limits""",
)
@click.argument("name")
@options.output("yaml", "json")
@options.server
def get(name: str, form: str, server: str, timeout: float) -> None:
    """Print the listener NAME in canonical form, as a configuration file that `update` accepts."""
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.document.encode import dump
    from answerback.v1.config_pb2 import Config

    with connected(server, timeout) as client:
        answer = client.get_listener(name)
    config = Config(listeners=[answer.listener])
    if form == "json":
        output.write(output.canonical(config), form)
    else:
        output.line(f"# revision {answer.revision}, etag {answer.etag}")
        output.document(dump(config))


@command.command(
    "create",
    short_help="Add a listener.",
    epilog="""\b
Examples:
  answerback listeners create smtp.yaml
  answerback listeners create services.yaml --name smtp --comment "for the mail tests" """,
)
@source.FILE
@NAME
@options.change
@options.output("table", "json", "yaml")
@options.server
def create(file: str, name: str, form: str, server: str, timeout: float, **change: Any) -> None:
    """Add the listener of FILE, a configuration with one listener; `-` reads standard input."""
    from answerback.v1.listener_service_pb2 import CreateListenerRequest

    document, index = _one_of(file, name)
    request = CreateListenerRequest(listener=document.config.listeners[index], **options.common(change))
    _send("create_listener", request, (file, document, index), form, server, timeout)


@command.command(
    "update",
    short_help="Change a listener.",
    epilog="""\b
Examples:
  answerback listeners update smtp.yaml                       # replace all its fields
  answerback listeners update smtp.yaml --field rules --field limits.idle_timeout
  answerback listeners update smtp.yaml --allow-missing       # or create it""",
)
@source.FILE
@NAME
@click.option("--field", "fields", multiple=True, metavar="PATH", help="Update only this field. Repeatable.")
@click.option("--allow-missing", is_flag=True, help="Create the listener if it does not exist.")
@options.change
@options.output("table", "json", "yaml")
@options.server
def update(
    file: str, name: str, fields: tuple[str, ...], form: str, server: str, timeout: float, **change: Any
) -> None:
    """Replace the listener of the same name with that of FILE, a configuration with one listener.

    With --field, only these fields are updated; a field that FILE does not set is cleared. `-` reads standard input.
    """
    from google.protobuf.field_mask_pb2 import FieldMask

    from answerback.v1.listener_service_pb2 import UpdateListenerRequest

    document, index = _one_of(file, name)
    request = UpdateListenerRequest(
        listener=document.config.listeners[index],
        update_mask=FieldMask(paths=fields or ["*"]),
        allow_missing=change["allow_missing"],
        **options.common(change),
    )
    _send("update_listener", request, (file, document, index), form, server, timeout)


@command.command(
    "set",
    short_help="Set fields of a listener.",
    epilog="""\b
Examples:
  answerback listeners set smtp accept=STALL
  answerback listeners set smtp limits.idle_timeout=5s limits.max_connections=100
  answerback listeners set smtp 'faults=[{latency: {delay: 200ms}}]'
  answerback listeners set smtp faults=                  # the field is cleared""",
)
@click.argument("name")
@click.argument("assignments", nargs=-1, required=True, metavar="FIELD=VALUE...")
@options.change
@options.output("table", "json", "yaml")
@options.server
def set_(name: str, assignments: tuple[str, ...], form: str, server: str, timeout: float, **change: Any) -> None:
    """Set fields of the listener NAME; its other fields stay as they are.

    FIELD is a path in the listener, such as `limits.idle_timeout`. VALUE is YAML, as in a configuration file; without
    a value the field is cleared.
    """
    from google.protobuf.field_mask_pb2 import FieldMask

    from answerback.cli.assignments import listener_of
    from answerback.language.problems import InvalidConfig
    from answerback.v1.listener_service_pb2 import UpdateListenerRequest

    try:
        listener, paths = listener_of(name, assignments)
    except InvalidConfig as refused:
        raise source.refuse(name, refused.problems, "nothing was changed") from None
    request = UpdateListenerRequest(listener=listener, update_mask=FieldMask(paths=paths), **options.common(change))
    _send("update_listener", request, None, form, server, timeout)


@command.command(
    "delete",
    short_help="Remove a listener.",
    epilog="""\b
Examples:
  answerback listeners delete smtp
  answerback listeners delete smtp --allow-missing""",
)
@click.argument("name")
@MISSING
@options.change
@options.output("table", "json", "yaml")
@options.server
def delete(name: str, form: str, server: str, timeout: float, **change: Any) -> None:
    """Delete the listener NAME: queued connections are accepted, and each is closed after its current reply."""
    from answerback.v1.listener_service_pb2 import DeleteListenerRequest

    request = DeleteListenerRequest(name=name, allow_missing=change["allow_missing"], **options.common(change))
    _send("delete_listener", request, None, form, server, timeout)


def _engine(listener: Any) -> str:
    from answerback.cli.output import word
    from answerback.v1.config_pb2 import Engine

    return word(Engine, listener.engine, "ENGINE_") if listener.engine else "-"


def _one_of(file: str, name: str) -> "tuple[Document, int]":
    """The file, and the place of the listener that is meant. Raises ClickException."""
    from answerback.document.document import load
    from answerback.language.editing import index_of

    document = load(source.read(file))
    if document.problems:
        raise source.refuse(file, document.problems, "nothing was changed")
    count = len(document.config.listeners)
    index = index_of(document.config, name) if name else 0
    if index is None:
        raise click.ClickException(f"{source.name(file)} has no listener {name!r}; nothing was changed")
    if not name and count != 1:
        which = "choose one with --name" if count else "one is needed"
        raise click.ClickException(f"{source.name(file)} has {count} listeners: {which}; nothing was changed")
    return document, index


def _send(
    method: str, request: Any, given: "tuple[str, Document, int] | None", form: str, server: str, timeout: float
) -> None:
    """Make the change; what is wrong with a listener is said by its place in the file."""
    from dataclasses import replace

    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.language.problems import InvalidConfig

    try:
        with connected(server, timeout) as client:
            answer = getattr(client, method)(request)
    except InvalidConfig as refused:
        if given is None:
            name = request.listener.name if hasattr(request, "listener") else request.name
            problems = [replace(one, path=one.path.removeprefix("listener.")) for one in refused.problems]
            raise source.refuse(name, problems, "nothing was changed") from None
        file, document, index = given
        ours = [
            replace(one, path=f"listeners[{index}]{one.path[8:]}") for one in refused.problems if _in_file(one.path)
        ]
        others = [one for one in refused.problems if not _in_file(one.path)]
        raise source.refuse(file, [*document.located(ours), *others], "nothing was changed") from None
    output.changed(answer, form, dry_run=request.validate_only)


def _in_file(path: str) -> bool:
    """Whether a problem's path is one of the listener that was sent."""
    return path == "listener" or path.startswith("listener.")
