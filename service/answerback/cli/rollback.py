"""`answerback rollback`."""

import click

from answerback.cli import options


@click.command(
    "rollback",
    short_help="Apply an earlier configuration again.",
    epilog="""\b
Examples:
  answerback history                          # the revisions to choose from
  answerback rollback 3
  answerback rollback 3 --comment "4 was too slow" --etag 5f0c2a9be1d4-4
  answerback rollback 3 --dry-run             # every check, no change""",
)
@click.argument("revision", type=click.IntRange(1))
@options.change
@options.output("table", "json", "yaml")
@options.server
def command(revision: int, comment: str, etag: str, dry_run: bool, form: str, server: str, timeout: float) -> None:
    """Apply the configuration of an earlier REVISION again, on all workers or none.

    It becomes a new revision and uses the file contents stored with REVISION. If it can no longer be served (for
    example, a port is in use now), nothing changes.
    """
    from answerback.cli import output, source
    from answerback.cli.client import connected
    from answerback.language.problems import InvalidConfig
    from answerback.v1.config_service_pb2 import RollbackConfigRequest

    request = RollbackConfigRequest(revision=revision, comment=comment, etag=etag, validate_only=dry_run)
    try:
        with connected(server, timeout) as client:
            answer = client.rollback_config(request)
    except InvalidConfig as refused:
        raise source.refuse(f"revision {revision}", refused.problems, "nothing was changed") from None
    output.changed(answer, form, dry_run=dry_run)
