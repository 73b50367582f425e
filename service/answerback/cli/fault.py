"""`answerback fault`, and what is below it."""

from typing import TYPE_CHECKING, Any

import click

from answerback.cli import options, output, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from answerback.v1.config_pb2 import Fault, Listener


@click.group(
    "fault",
    short_help="Add, remove or list faults of listeners.",
    epilog="""\b
Examples:
  answerback fault add redis latency=200ms --ttl 5m
  answerback fault list
  answerback fault remove redis latency""",
)
def command() -> None:
    """Add, remove or list faults of listeners. With `--ttl`, a fault ends by itself."""


@command.command(
    "add",
    short_help="Add a fault to a listener.",
    epilog="""\b
Examples:
  answerback fault add redis latency=200ms --ttl 5m
  answerback fault add redis drop probability=0.01 --name lossy
  answerback fault add redis truncate.bytes=3 truncate.reset=true times=10
  answerback fault add redis name=slow 'latency={normal: {mean: 50ms, deviation: 10ms}}' --replace""",
)
@click.argument("listener")
@click.argument("assignments", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.option("--name", default="", metavar="NAME", help="Name of the fault. Default: its kind, such as latency.")
@click.option("--ttl", type=options.Duration(), metavar="TIME", help="Remove the fault after this time; at most 8760h.")
@click.option("--replace", is_flag=True, help="Replace the fault of the same name, if there is one.")
@options.change
@options.output("table", "json", "yaml")
@options.server
def add(  # noqa: PLR0913, PLR0917 - an option each
    listener: str,
    assignments: tuple[str, ...],
    name: str,
    ttl: float | None,
    replace: bool,
    form: str,
    server: str,
    timeout: float,
    **change: Any,
) -> None:
    """Add a fault to LISTENER, after its other faults.

    FIELD is a path in a fault, such as `latency` or `truncate.bytes`. VALUE is YAML, as in a configuration file. A
    kind of fault without a value, such as `drop`, has its defaults. With `--ttl`, the server removes the fault after
    that time, in a revision of its own; with `serve --state`, also if it was restarted in between.
    """
    from answerback.cli.assignments import fault_of
    from answerback.cli.client import connected
    from answerback.language.problems import InvalidConfig
    from answerback.v1.listener_service_pb2 import AddFaultRequest

    try:
        fault = fault_of([*assignments, *([f"name={output.as_json(name)}"] if name else [])])
        request = AddFaultRequest(listener=listener, fault=fault, replace=replace, **options.common(change))
        if ttl is not None:
            request.ttl.CopyFrom(options.duration(ttl))
        with connected(server, timeout) as client:
            answer = client.add_fault(request)
    except InvalidConfig as refused:
        raise source.refuse(f"fault of {listener}", _own(refused.problems), "nothing was changed") from None
    output.changed(answer, form, dry_run=change["dry_run"])
    if form == "table" and answer.changed:
        until = answer.fault.expire_time
        ends = f" until {output.moment(until.ToJsonString())}" if answer.fault.HasField("expire_time") else ""
        output.line(f"fault {answer.fault.name} applies to {listener}{ends}")


@command.command(
    "remove",
    short_help="Remove a fault from a listener.",
    epilog="""\b
Examples:
  answerback fault remove redis latency
  answerback fault remove redis 'faults[0]'""",
)
@click.argument("listener")
@click.argument("fault")
@click.option("--allow-missing", is_flag=True, help="Succeed if the listener or the fault does not exist.")
@options.change
@options.output("table", "json", "yaml")
@options.server
def remove(
    listener: str, fault: str, allow_missing: bool, form: str, server: str, timeout: float, **change: Any
) -> None:
    """Remove FAULT from LISTENER: its name, or `faults[N]` if it has none."""
    from answerback.cli.client import connected
    from answerback.language.problems import InvalidConfig
    from answerback.v1.listener_service_pb2 import RemoveFaultRequest

    request = RemoveFaultRequest(listener=listener, fault=fault, allow_missing=allow_missing, **options.common(change))
    try:
        with connected(server, timeout) as client:
            answer = client.remove_fault(request)
    except InvalidConfig as refused:
        raise source.refuse(listener, refused.problems, "nothing was changed") from None
    output.changed(answer, form, dry_run=change["dry_run"])


@command.command(
    "list",
    short_help="List faults.",
    epilog="""\b
Examples:
  answerback fault list
  answerback fault list redis
  answerback fault list -o json | jq -r '.faults[] | select(.expire_time) | .listener + " " + .name'""",
)
@click.argument("listener", required=False)
@options.output("table", "json", "yaml")
@options.server
def list_(listener: str | None, form: str, server: str, timeout: float) -> None:
    """List the faults of LISTENER, or of all listeners, and when those with a time to live are removed."""
    from answerback.cli.client import connected

    with connected(server, timeout) as client:
        listeners = [client.get_listener(listener).listener] if listener else list(client.list_listeners())
    found = list(_faults(listeners))
    if form != "table":
        data = [{"listener": of, **output.canonical(fault), "name": name} for of, name, fault in found]
        output.write({"faults": data}, form)
        return
    output.table(
        ("LISTENER", "FAULT", "KIND", "UNTIL"),
        ((of, name, fault.WhichOneof("kind") or "-", _until(fault)) for of, name, fault in found),
    )


def _faults(listeners: "list[Listener]") -> "Iterator[tuple[str, str, Fault]]":
    from answerback.language.faults import fault_key

    for listener in listeners:
        for index, fault in enumerate(listener.faults):
            yield listener.name, fault_key(fault, index), fault


def _until(fault: "Fault") -> str:
    return output.moment(fault.expire_time.ToJsonString() if fault.HasField("expire_time") else None)


def _own(problems: Any) -> Any:
    """The problems with paths from the fault on, as its fields are given."""
    from dataclasses import replace

    return [replace(one, path=one.path.removeprefix("fault").removeprefix(".")) for one in problems]
