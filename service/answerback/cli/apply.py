"""`answerback apply`."""

from typing import TYPE_CHECKING, Any

import click

from answerback.cli import difference, options, source

if TYPE_CHECKING:
    from answerback.cli.client import Client
    from answerback.v1.config_service_pb2 import UpdateConfigRequest


@click.command(
    "apply",
    short_help="Put a configuration in force, live.",
    epilog="""\b
Examples:
  answerback apply answerback.yaml --comment "slow down replies"
  answerback apply --dry-run answerback.yaml            # every check, no change
  answerback apply --yes answerback.yaml                # no question
  answerback apply --etag 5f0c2a9be1d4-3 new.yaml       # only if revision 3 is still in force
  generate-config | answerback apply -""",
)
@click.argument("file", type=click.Path(readable=False, allow_dash=True))
@options.change
@click.option("--yes", "-y", is_flag=True, help="On a terminal: do not ask. Elsewhere nobody is asked anyway.")
@options.output("table", "json", "yaml")
@options.server
def command(file: str, form: str, server: str, timeout: float, **change: Any) -> None:
    """Put FILE in force in a running responder, on all its workers at once; `-` reads standard input.

    On a terminal it shows the difference and asks. No connection is lost: those that are open take the new rules at
    their next request. A configuration with anything wrong in it changes nothing. What `file:` names is read by the
    responder, beneath its --files.
    """
    from answerback.cli import output
    from answerback.cli.client import connected
    from answerback.document.document import load
    from answerback.language.problems import Refused
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
    except Refused as refused:
        raise source.refuse(file, document.located(refused.problems), "nothing was changed") from None
    output.changed(answer, form, dry_run=request.validate_only)


def _agree(client: "Client", request: "UpdateConfigRequest", name: str, *, yes: bool) -> None:
    """Show the difference and ask; what is agreed to replaces what was shown, and nothing else.

    Raises ClickException, or Refused: nobody is asked about what cannot be.
    """
    current = client.get_config()
    request.etag = request.etag or current.etag
    request.validate_only = True
    client.update_config(request)
    request.validate_only = False
    found = difference.lines(current.config, request.config, (f"revision {current.revision}", name))
    difference.write(found, err=True)
    if found and not yes and not click.confirm("Put this in force?", err=True):
        raise click.ClickException("nothing was changed")
