"""Clients on the test's own event loop, which close when the server does, so that no test waits for lingering."""

import asyncio
from contextlib import suppress
from time import monotonic

from tests.supervisor.supervising import Supervised

SECONDS = 20.0  # past which nothing comes any more

LINES = """
- name: {name}
  address: 127.0.0.1:0
  framing: line
  rules:
  - {{when: stuck, do: [{{send: "begun\\n"}}, {{delay: 1h}}]}}
  - {{when: slow, do: [{{send: "begun\\n"}}, {{delay: 100ms}}, {{send: "done\\n"}}]}}
  - {{when: id, do: [{{send: {{template: "${{connection.id}}\\n"}}}}]}}
  - do: [{{send: "{answer}\\n"}}]
{more}
"""


def lines(name: str = "hello", answer: str = "one", more: str = "") -> str:
    """A listener that answers lines and closes nothing; `more` is further YAML of it."""
    return LINES.format(name=name, answer=answer, more=f"  {more}" if more else "")


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, supervisor: Supervised, name: str = "hello") -> "Client":
        async with asyncio.timeout(SECONDS):
            return cls(*await asyncio.open_connection("127.0.0.1", supervisor.port(name)))

    async def ask(self, request: bytes = b"hi") -> bytes:
        """The next line that comes back; empty if the server closes."""
        self.say(request)
        return await self.line()

    def say(self, request: bytes) -> None:
        """Send a line."""
        self._writer.write(request + b"\n")

    async def line(self) -> bytes:
        async with asyncio.timeout(SECONDS):
            return (await self._reader.readline()).removesuffix(b"\n")

    async def end(self) -> tuple[bytes, float]:
        """What comes until the server closes, and when that was; RuntimeError if it resets."""
        try:
            async with asyncio.timeout(SECONDS):
                data = await self._reader.read()
        except ConnectionResetError as error:
            raise RuntimeError("reset") from error
        finally:
            self._writer.close()
        return data, monotonic()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def talking(supervisor: Supervised, count: int, name: str = "hello") -> list[Client]:
    """Connections, each of which has had an answer."""
    clients = [await Client.connect(supervisor, name) for _ in range(count)]
    assert all(await asyncio.gather(*(client.ask() for client in clients)))
    return clients


async def ends(clients: list[Client]) -> list[tuple[bytes, float]]:
    """How all of them end."""
    return await asyncio.gather(*(client.end() for client in clients))
