"""Upstreams for tests with real servers: an echo in a process of its own, which can be killed, and counts."""

import asyncio
import contextlib
import sys


async def main(port: int) -> None:
    """Echo on this port; on `COUNT` say how many connections came before, and how many bytes."""
    connections = received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, received
        first = await reader.read(65536)
        if first == b"COUNT":
            writer.write(b"%d %d" % (connections, received))
        else:
            connections += 1
            data = first
            with contextlib.suppress(ConnectionError):
                while data:
                    received += len(data)
                    writer.write(data)
                    await writer.drain()
                    data = await reader.read(65536)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
