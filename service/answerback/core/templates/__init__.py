"""Templates: bytes with `${…}` in them, filled in for each request.

    parsing        the grammar, text to values; what is wrong, and where
    placeholders   what is looked up in the turn: request, captures, vars, peer, uuid, now, random
    functions      what is made of it: len, u16be, crc32, tohex, …
    values         bytes and numbers, and how one is taken for the other
    template       constants folded, one operation to render, a bound on what it makes

The grammar is closed, and a template is compiled when it is loaded: nothing of a configuration is ever evaluated, and
a template reaches what `RequestContext` has and nothing else.
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
