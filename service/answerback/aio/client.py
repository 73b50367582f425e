"""The asyncio client."""

import asyncio
from typing import Any, ClassVar, Self

from google.protobuf.message import Message

from answerback.aio.transport import Replies, Transport
from answerback.client.base import BaseClient
from answerback.client.faces import Awaiting


class Client(BaseClient, Awaiting):
    """A client of the admin API of a running server: `answerback.Client`, with methods to await.

        async with Client() as client:
            await client.update_config(Path("answerback.yaml"), comment="slower")
            async for event in client.watch_config():
                print(event.revision.number)

    It belongs to the event loop in which it is first used.
    """

    transport: ClassVar[type[Transport]] = Transport
    _transport: Transport

    async def close(self) -> None:
        """Close the connection. Calls that wait, streams too, fail."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(self, request: Message, *, longer: float = 0.0) -> Any:
        return await self._transport.call(request, self._within(longer), wait=self._wait)

    def _open(self, request: Message) -> Replies:
        return self._transport.stream(request, wait=self._wait)

    async def _connect(self, timeout: float | None) -> None:  # noqa: ASYNC109 - gRPC keeps it
        await self._transport.connect(timeout)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
