"""The kinds of framing: a file for each; `base` is what they share."""

from answerback.language.framing.base import (
    FRAMINGS,
    FramingKind,
    check_framing,
    compile_framing,
    describe,
    lint_framing,
    objection,
    provided_by,
    waits_for,
)

__all__ = [
    "FRAMINGS",
    "FramingKind",
    "check_framing",
    "compile_framing",
    "describe",
    "lint_framing",
    "objection",
    "provided_by",
    "waits_for",
]

FRAMINGS.load(__name__, __path__)
