"""The kinds of framing: a file for each; `base` is what they share."""

from answerback.language.framing.base import (
    FRAMINGS,
    FramingKind,
    check_framing,
    check_reply_framing,
    compile_framing,
    compile_reply_framing,
    describe,
    lint_framing,
    objection,
    provided_by,
    provided_in_replies,
    waits_for,
)

__all__ = [
    "FRAMINGS",
    "FramingKind",
    "check_framing",
    "check_reply_framing",
    "compile_framing",
    "compile_reply_framing",
    "describe",
    "lint_framing",
    "objection",
    "provided_by",
    "provided_in_replies",
    "waits_for",
]

FRAMINGS.load(__name__, __path__)
