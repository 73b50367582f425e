"""A minimal worker: it accepts on the sockets it is given and answers with its slot, without rules or counters.

python answering_worker.py --link FD --slot K
"""

import argparse
import asyncio
import socket
import sys

import uvloop

from answerback.internal.v1.link_pb2 import Command, Event, Heartbeat
from answerback.link import Link, Received


class AnsweringWorker:
    def __init__(self, loop: asyncio.AbstractEventLoop, link: socket.socket, slot: int) -> None:
        self._loop = loop
        self._answer = f"{slot}\n".encode()
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        self._link = Link(link, Command, self._received, sys.exit)
        self._link.send(Event(heartbeat=Heartbeat()))

    def _received(self, received: Received[Command]) -> None:
        order = received.message
        kind = order.WhichOneof("kind")
        if kind == "prepare":
            for name, sock in zip(order.prepare.sockets, received.sockets, strict=True):
                self._accept(name.key, name.slot, sock)
            self._link.send(Event())
        elif kind == "adopt":
            for name, sock in zip(order.adopt.sockets, received.sockets, strict=True):
                self._accept(name.key, order.adopt.slot, sock)
        elif kind == "release":
            for key in [key for key in self._sockets if key[1] == order.release.slot]:
                self._stop(key)

    def _accept(self, key: str, slot: int, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sockets[key, slot] = sock
        self._loop.add_reader(sock.fileno(), self._answer_all, sock)

    def _answer_all(self, sock: socket.socket) -> None:
        while True:
            try:
                connection, _ = sock.accept()
            except BlockingIOError:
                return
            connection.send(self._answer)
            connection.close()

    def _stop(self, key: tuple[str, int]) -> None:
        sock = self._sockets.pop(key)
        self._loop.remove_reader(sock.fileno())
        sock.close()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--link", type=int, required=True)
    parser.add_argument("--slot", type=int, required=True)
    arguments = parser.parse_args()
    loop = asyncio.get_running_loop()
    AnsweringWorker(loop, socket.socket(fileno=arguments.link), arguments.slot)
    await loop.create_future()


if __name__ == "__main__":
    uvloop.run(main())
