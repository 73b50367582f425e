"""Templates: bytes with `${…}` in them, filled in for each request.

    parsing        the grammar: text to values, and errors with their position
    placeholders   values from the context: request, captures, vars, peer, uuid, now, random
    functions      functions of values: len, u16be, crc32, tohex, …
    values         bytes and numbers, and conversions between them
    template       constant folding, rendering in one operation, a limit on the result

The grammar is closed, and a template is compiled when it is loaded: no part of a configuration is evaluated as code,
and a template can access only what `RequestContext` has.
"""

from collections.abc import Collection

from answerback.core.templates.errors import MOST, TemplateError, TooLong
from answerback.core.templates.parsing import RESERVED, is_reserved, is_variable, parse
from answerback.core.templates.template import Template

__all__ = ["MOST", "RESERVED", "Template", "TemplateError", "TooLong", "compile", "is_reserved", "is_variable"]


def compile(text: str, captures: Collection[str] = (), groups: int = 0) -> Template:  # noqa: A001 - as `re` calls it
    """Compile a template, for a rule whose patterns have these named captures and this many groups.

    Raises TemplateError.
    """
    return Template(parse(text, captures, groups))
