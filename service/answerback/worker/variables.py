"""A worker's access to the shared variables."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from answerback.core.shared_view import SharedView, SharedWriteFailed

if TYPE_CHECKING:
    from answerback.shared.variables import SharedVariables

# Rule: the file is opened when a configuration first uses it: most do not, and LMDB takes time to load.

RELEASE_SECONDS: Final = 0.01
"""How long a view may keep pages from being used again after its event: to end each at once costs a microsecond."""


class LazyVariables:
    """The shared variables in a directory that the supervisor made; an empty name stands for none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, folder: str) -> None:
        self._loop = loop
        self._folder = folder
        self._opened: SharedVariables | None = None

    def view(self) -> SharedView:
        """Return a view for one event. Raises SharedWriteFailed if the file cannot be used."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened.view()

    def _open(self) -> "SharedVariables":
        if not self._folder:
            raise SharedWriteFailed("the supervisor found no directory for shared variables")
        from answerback.shared.variables import SharedVariables  # noqa: PLC0415 - see the rule

        try:
            return SharedVariables(Path(self._folder), self._release_soon)
        except OSError as error:
            raise SharedWriteFailed(str(error)) from None

    def _release_soon(self) -> None:
        """Release whatever view reads in a moment: by then many events may have had theirs."""
        assert self._opened is not None
        self._loop.call_later(RELEASE_SECONDS, self._opened.release)
