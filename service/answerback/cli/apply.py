"""`answerback apply`."""

from typing import TYPE_CHECKING, Any

import click

from answerback.cli import difference, options, source

if TYPE_CHECKING:
    from answerback.cli.client import Client
    from answerback.v1.config_service_pb2 import UpdateConfigRequest


@click.command(
    "apply",
    short_help="Apply a configuration to a running server.",
    epilog="""\b
Examples:
  answerback apply answerback.yaml --comment "slow down replies"
  answerback apply --dry-run answerback.yaml            # every check, no change
  answerback apply --yes answerback.yaml                # no question
  answerback apply --etag 5f0c2a9be1d4-3 new.yaml       # only if revision 3 is still active
  generate-config | answerback apply -""",
)
@source.FILE
@options.change
@click.option(
    "--yes", "-y", is_flag=True, help="Do not ask for confirmation. Without a terminal there is no confirmation."
)
@options.output("table", "json", "yaml")
@options.server
def command(file: str, form: str, server: str, timeout: float, **change: Any) -> None:
    """Apply FILE to a running server, on all workers or none; `-` reads standard input.

    On a terminal it shows the difference and asks for confirmation. No connection is dropped: open connections use
    the new rules from their next request. An invalid configuration is rejected and changes nothing. Files that the
    configuration names with `file:` are read by the server, from its --files directory.
    """
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.document.document import load
    from answerback.language.problems import InvalidConfig
    from answerback.v1.config_service_pb2 import UpdateConfigRequest

    document = load(source.read(file))
    if document.problems:
        raise source.refuse(file, document.problems, "nothing was changed")
    request = UpdateConfigRequest(config=document.config, comment=change["comment"], etag=change["etag"])
    request.validate_only = change["dry_run"]
    try:
        with connected(server, timeout) as client:
            if output.on_terminal() and not request.validate_only:
                _agree(client, request, source.name(file), yes=change["yes"])
            answer = client.update_config(request)
    except InvalidConfig as refused:
        raise source.refuse(file, document.located(refused.problems), "nothing was changed") from None
    output.changed(answer, form, dry_run=request.validate_only)


def _agree(client: "Client", request: "UpdateConfigRequest", name: str, *, yes: bool) -> None:
    """Show the difference and ask for confirmation; only the revision that was shown is replaced.

    Raises ClickException, or InvalidConfig: an invalid configuration is rejected before the question.
    """
    current = client.get_config()
    request.etag = request.etag or current.etag
    request.validate_only = True
    client.update_config(request)
    request.validate_only = False
    found = difference.lines(current.config, request.config, (f"revision {current.revision}", name))
    difference.write(found, err=True)
    if found and not yes and not click.confirm("Apply this configuration?", err=True):
        raise click.ClickException("nothing was changed")
