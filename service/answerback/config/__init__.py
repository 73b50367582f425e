"""YAML <-> proto, problems, compiling to a core plan.

A configuration's way through this room:

    document.load           a file's text becomes a message, with what is wrong in it and where
    files.read_files        what its `file` fields name is read
    checking.check          everything else that may be wrong with it, whether it came from a file or through the API
    advice.warnings         what is allowed, and probably not meant
    compile.compile_plan    the core plan that workers run
    dumping.dump            a message becomes text again
"""

# Rule: a worker imports `answerback.config.compile`, and so this module: nothing is loaded before it is asked for.

from importlib import import_module
from typing import TYPE_CHECKING, Any

from answerback.config.problems import Problem, Refused

if TYPE_CHECKING:
    from answerback.config.addresses import socket_key
    from answerback.config.advice import warnings
    from answerback.config.builtin import BUILT_IN
    from answerback.config.checking import check
    from answerback.config.compile import compile_plan, rule_key
    from answerback.config.document import Document, load
    from answerback.config.dumping import dump
    from answerback.config.files import FilesBeneath, FilesBeside, read_files

__all__ = [
    "BUILT_IN",
    "Document",
    "FilesBeneath",
    "FilesBeside",
    "Problem",
    "Refused",
    "check",
    "compile_plan",
    "dump",
    "load",
    "read_files",
    "rule_key",
    "socket_key",
    "warnings",
]

_HOMES = {
    "BUILT_IN": "builtin",
    "Document": "document",
    "FilesBeneath": "files",
    "FilesBeside": "files",
    "check": "checking",
    "compile_plan": "compile",
    "dump": "dumping",
    "load": "document",
    "read_files": "files",
    "rule_key": "compile",
    "socket_key": "addresses",
    "warnings": "advice",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
