"""What may be wrong with bytes as a configuration gives them: literals, payloads, templates, patterns."""

from collections.abc import Mapping
from functools import cached_property

from answerback.config import payloads
from answerback.config.captures import NONE, Captures, captures_of
from answerback.config.problems import Problems, step_into
from answerback.core import patterns, templates
from answerback.v1 import config_pb2 as v1

# Rule: bytes that cannot be known are None, and whoever asked for them says nothing more about them.


def pattern(text: str, path: str, problems: Problems) -> bool:
    """Whether RE2 takes a pattern."""
    try:
        compiled = patterns.compile(text)
    except patterns.PatternError as problem:
        problems.add(path, f"RE2 refuses it: {problem}")
        return False
    problems.compiled(path, compiled.programsize)
    return True


class BytesCheck:
    """The checks of bytes. `when`: the condition whose captures templates may look up."""

    def __init__(self, files: Mapping[str, bytes], problems: Problems, when: v1.Match | None = None) -> None:
        self._files = files
        self._problems = problems
        self._when = when

    @cached_property
    def _captures(self) -> Captures:
        return NONE if self._when is None else captures_of(self._when)

    def content(self, payload: payloads.Source, path: str) -> bytes | None:
        """The bytes, if nothing is wrong with them and they are the same each time."""
        kind = payload.WhichOneof("bytes")
        if isinstance(payload, v1.Payload) and kind == "template":
            template = self.template(payload.template, step_into(path, kind))
            return template.constant if template else None
        try:
            return payloads.decode(payload, self._files)
        except payloads.MissingFile:
            return None  # said by `read_files`
        except ValueError as problem:
            self._problems.add(step_into(path, kind) if kind else path, str(problem))
            return None

    def not_empty(self, payload: payloads.Source, path: str) -> bytes | None:
        """The same of bytes of which there must be some."""
        found = self.content(payload, path)
        if found == b"":
            self._problems.add(path, "at least one byte is needed")
            return None
        return found

    def template(self, text: str, path: str) -> templates.Template | None:
        """The template, if it is one."""
        try:
            return templates.compile(text, self._captures.names, self._captures.groups)
        except templates.TemplateError as problem:
            self._problems.add(path, f"{problem.message} (at character {problem.position + 1})")
            return None
