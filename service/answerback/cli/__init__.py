"""The command line."""

import click


@click.group()
def main() -> None:
    """A TCP endpoint you control."""
