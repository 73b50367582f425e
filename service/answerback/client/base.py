"""What the blocking and the asyncio client have in common."""

import copy
from typing import Any, ClassVar, Final, Self

from answerback.client.calls import Calls
from answerback.client.channel import Access, File

DEFAULT_SERVER: Final = "127.0.0.1:50051"
DEFAULT_TIMEOUT: Final = 30.0


class BaseClient(Calls):
    """A connection, and how long its calls wait."""

    transport: ClassVar[Any]
    """The class of the connection."""

    def __init__(  # noqa: PLR0913 - each is named where it is given
        self,
        server: str = DEFAULT_SERVER,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        wait_for_server: bool = False,
        token: str = "",
        token_file: File | None = None,
        ca: File | None = None,
        cert: File | None = None,
        key: File | None = None,
    ) -> None:
        """Raises BadCredentials."""
        access = Access(server=server, token=token, token_file=token_file, ca=ca, cert=cert, key=key)
        self._server = server
        self._timeout = timeout
        self._wait = wait_for_server
        self._transport: Any = self.transport(access)

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}({self._server!r})"

    def with_timeout(self, seconds: float | None) -> Self:
        """Return a client with another timeout, on the same connection. None: no timeout."""
        other = copy.copy(self)
        other._timeout = seconds  # noqa: SLF001 - of the same class
        return other

    def _patience(self) -> float | None:
        return self._timeout

    def _within(self, longer: float) -> float | None:
        return None if self._timeout is None else self._timeout + longer
