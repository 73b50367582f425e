"""Regular expressions over bytes: RE2, in linear time whatever the pattern and the peer's bytes."""

from functools import lru_cache
from typing import Any

# Rule: the one module that knows RE2.

MAX_PROGRAM_BYTES = 8 << 20


class PatternError(ValueError):
    """RE2 refuses the pattern; the text says why."""


def compile(pattern: str) -> Any:  # noqa: A001 - as `re` calls it
    r"""The pattern, compiled in RE2's Latin-1 mode from its own UTF-8 bytes: `\xff` is the byte ff.

    Raises PatternError.
    """
    import re2  # noqa: PLC0415 - on the first pattern: many configurations have none, and a worker's memory counts

    try:
        return re2.compile(pattern.encode(), _options())
    except re2.error as problem:
        detail = problem.args[0]
        raise PatternError(detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)) from None


@lru_cache(maxsize=1)
def _options() -> Any:
    import re2  # noqa: PLC0415 - as above

    options: Any = re2.Options()
    options.encoding = options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = MAX_PROGRAM_BYTES
    return options
