"""The original coroutine style: a coroutine per connection over the streams of plain asyncio.

``--close`` is the original otherwise unaltered: one read of at most 1024 bytes, one reply, close. Without it the
coroutine goes on reading until the peer closes, which is what a persistent or pipelining client needs.
"""

import asyncio
import resource
import sys

BACKLOG = 4096  # as every contender here
READ_SIZE = 1024
REPLY = b"+PONG\r\n"


async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One read, one reply, and the server closes."""
    if await reader.read(READ_SIZE):
        writer.write(REPLY)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def answer_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A reply for each line until the peer closes."""
    while data := await reader.read(READ_SIZE):
        writer.write(REPLY * data.count(b"\n"))
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def main(close: bool) -> None:
    """Serve on a free port of the loopback until ended."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    answer = answer_once if close else answer_lines
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=BACKLOG)
    print("READY", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(close="--close" in sys.argv[1:]))
