"""Answerback: a programmable TCP server for tests and infrastructure.

`answerback.Client` is a client of a running server's admin API, `answerback.aio.Client` the same for asyncio, and
`answerback.testing` starts servers for tests.
"""

# Rule: this imports nothing: workers, `answerback health` and pytest's plugin load it.

import importlib
from typing import Any

__version__ = "0.1.0"

# These names are imported when they are first used. `__init__.pyi` tells type checkers of it.
_LAZY = {
    "Client": "answerback.client",
    "ConfigRejected": "answerback.client",
    "Error": "answerback.client",
    "aio": "",
    "testing": "",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return (
        getattr(importlib.import_module(_LAZY[name]), name)
        if _LAZY[name]
        else importlib.import_module(f"{__name__}.{name}")
    )
