"""What differs between two configurations, as `diff -u` writes it."""

import difflib
import os
import sys
from typing import TYPE_CHECKING, Final

from answerback.cli import output

if TYPE_CHECKING:
    from answerback.v1.config_pb2 import Config

COLOURS: Final = {"-": "red", "+": "green", "@": "cyan"}


def lines(before: "Config", after: "Config", names: tuple[str, str]) -> list[str]:
    """The difference of their canonical forms, without private keys; none if they say the same."""
    from answerback.document.encode import dump
    from answerback.language.redaction import redacted

    old, new = (dump(redacted(one)).splitlines() for one in (before, after))
    return list(difflib.unified_diff(old, new, *names, lineterm=""))


def write(difference: list[str], *, err: bool = False) -> None:
    """Print it, in colours on a terminal alone."""
    coloured = (sys.stderr if err else sys.stdout).isatty() and not os.environ.get("NO_COLOR")
    for line in difference:
        output.line(line, err=err, colour=COLOURS.get(line[:1]) if coloured else None)
