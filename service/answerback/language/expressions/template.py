"""Text with values in it: the text between them is sent as UTF-8, and `$$` is a dollar."""

from answerback.core.expressions import Reads, Template, TooLongError, Value, Work
from answerback.core.expressions.template import Part
from answerback.language.expressions import lookup
from answerback.language.expressions.compiler import compile_embedded
from answerback.language.expressions.errors import ExpressionError
from answerback.language.expressions.scanner import Source, scan
from answerback.language.expressions.scope import Scope


def compile_template(text: str, scope: Scope) -> Template:
    """Compile a template. Raises ExpressionError."""
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise ExpressionError("half of a surrogate pair is not a character", problem.start) from None
    work = Work()
    try:
        return Template(_parts(text, scope, work), work)
    except TooLongError as problem:
        raise ExpressionError(str(problem), 0) from None


def _parts(text: str, scope: Scope, work: Work) -> list[Part]:
    parts: list[Part] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        parts.append(text[at:dollar].encode())
        if text.startswith("$$", dollar):
            parts.append(b"$")
            at = dollar + 2
        elif text.startswith("${", dollar):
            source = scan(text, dollar + 2, captures=scope.captures.names, in_template=True)
            parts.append(_value(source, scope, work))
            at = source.end + 1
        else:
            raise ExpressionError("a single $: write $$ for a dollar, ${…} for a value", dollar)
    parts.append(text[at:].encode())
    return parts


def _value(source: Source, scope: Scope, work: Work) -> Value:
    code = source.code
    if code.isascii() and code.isdigit():
        return _numbered(source, scope)
    return compile_embedded(source, scope, work)


def _numbered(source: Source, scope: Scope) -> Value:
    """`${N}`: a capture."""
    if scope.lacks(Reads.CAPTURES):
        raise ExpressionError(f"{scope.event} has no request", source.start)
    try:
        return lookup.numbered(int(source.code), scope)
    except ValueError as problem:
        raise ExpressionError(str(problem), source.start) from None
