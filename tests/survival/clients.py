"""Clients that talk to any listener and note their observations; and the judge of them.

talk      one connection: its requests, what came back for each, and how it ended
judge     whether one possible version of the listener says so, or something explains the end
"""

# Rule: a client judges nothing while it talks; whether a change took effect is known only later.
# Rule: no verdict depends on how fast the machine is; a client that hears nothing waits for a minute.

import asyncio
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Final

from tests.survival.world import LOSING_FAULTS, Version, World

PATIENCE: Final = 60.0
GLANCE: Final = 0.3  # after which a client looks whether silence is what it must expect
LINGER_ZERO: Final = struct.pack("ii", 1, 0)
IN_ORDER: Final = {"drain", "restart", "stop"}  # what closes connections at the end of a reply
Address = str


@dataclass(slots=True)
class Exchange:
    """A request, and what came back."""

    request: bytes
    sent: float
    heard: bytes = b""
    done: float = 0.0

    @property
    def complete(self) -> bool:
        return self.heard.endswith(b"\n")


@dataclass(slots=True)
class Seen:
    """What one client saw of one connection."""

    name: str
    address: Address
    began: float
    connected: float = 0.0
    exchanges: list[Exchange] = field(default_factory=list)
    end: str = ""
    """refused, stalled, reset, eof, silence, or left: the client closed, having heard all that it had asked for."""
    ended: float = 0.0
    gave_up: bool = False
    """Whether it waited no longer because nothing could be expected."""
    sent: int = 0
    received: int = 0


def opened(address: Address) -> tuple[socket.socket, str | tuple[str, int]]:
    """A socket for an address of the configuration, and where to connect it."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        where: str | tuple[str, int] = address.removeprefix("unix:")
    else:
        host, _, port = address.rpartition(":")
        sock = socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET)
        where = (host.strip("[]"), int(port))
    sock.setblocking(False)
    return sock, where


class Client:
    """One connection."""

    def __init__(self, world: World, version: Version, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.seen = Seen(version.name, version.address, monotonic())
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._same = chance.choice((0.0, 0.3, 1.0))

    async def talk(self) -> Seen:
        """Connect, ask, listen, leave."""
        sock, where = opened(self.seen.address)
        try:
            await self._connect(sock, where)
            if not self.seen.end:
                await self._ask(sock)
        except (ConnectionError, OSError):
            self.seen.end = self.seen.end or "reset"
        finally:
            self.seen.ended = monotonic()
            if self.seen.end == "abandoned" or (self.seen.end == "silence" and self.chance.random() < 0.5):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            sock.close()
        return self.seen

    async def _connect(self, sock: socket.socket, where: str | tuple[str, int]) -> None:
        deadline = self.seen.began + PATIENCE
        connecting = asyncio.ensure_future(self._loop.sock_connect(sock, where))
        try:
            while not (await asyncio.wait({connecting}, timeout=GLANCE))[0]:
                if monotonic() > deadline or self._may_be_silent():
                    self.seen.end = "stalled"
                    return
            connecting.result()
            self.seen.connected = monotonic()
        except (ConnectionRefusedError, FileNotFoundError):
            self.seen.end = "refused"
        except ConnectionError:
            self.seen.end = "reset"
        finally:
            connecting.cancel()

    async def _ask(self, sock: socket.socket) -> None:
        if self.chance.random() < 0.05:  # it only checks whether the port is open
            self.seen.end = "abandoned" if self.chance.random() < 0.5 else "left"
            return
        rounds, pause = self.chance.choice(((1, 0.0), (1, 0.0), (2, 0.0), (3, 0.01), (8, 0.1), (20, 0.15)))
        for _ in range(rounds):
            together = [self._exchange() for _ in range(self.chance.choice((1, 1, 1, 2, 5)))]
            await self._say(sock, b"".join(each.request + b"\n" for each in together))
            for exchange in together:
                await self._hear(sock, exchange)
                if self.seen.end:
                    return
            await asyncio.sleep(pause)  # the longest talks last through several changes
        if self.chance.random() < 0.3:
            sock.shutdown(socket.SHUT_WR)
            await self._until_end(sock)
        else:
            self.seen.end = "left"

    def _exchange(self) -> Exchange:
        request = b"ask %d" % self.chance.getrandbits(40) + b"." * self.chance.choice((0, 0, 0, 3000))
        if self.chance.random() < self._same:
            request = b"same"  # whose reply is always the same, and may be remembered
        exchange = Exchange(request, monotonic())
        self.seen.exchanges.append(exchange)
        return exchange

    async def _say(self, sock: socket.socket, data: bytes) -> None:
        self.seen.sent += len(data)
        if len(data) < 1000 and self.chance.random() < 0.2:
            cut = self.chance.randrange(len(data))
            await self._loop.sock_sendall(sock, data[:cut])
            await asyncio.sleep(0.005)
            data = data[cut:]
        await self._loop.sock_sendall(sock, data)

    async def _hear(self, sock: socket.socket, exchange: Exchange) -> None:
        while b"\n" not in self._held:
            data = await self._read(sock)
            if not data:
                exchange.heard, exchange.done = self._held, monotonic()
                self.seen.end = self.seen.end or "eof"
                return
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        exchange.heard, exchange.done = line + b"\n", monotonic()

    async def _until_end(self, sock: socket.socket) -> None:
        while data := await self._read(sock):
            self._held += data
        self.seen.end = self.seen.end or ("extra" if self._held else "left")

    async def _read(self, sock: socket.socket) -> bytes:
        """Some bytes; none at the end, or if silence is what must be expected."""
        deadline = monotonic() + PATIENCE
        reading = asyncio.ensure_future(self._loop.sock_recv(sock, 65536))
        try:
            while not (await asyncio.wait({reading}, timeout=GLANCE))[0]:
                if monotonic() > deadline or self._may_be_silent():
                    self.seen.end = "silence"
                    return b""
            data = reading.result()
        except ConnectionError:
            self.seen.end = "reset"
            return b""
        else:
            self.seen.received += len(data)
            return data
        finally:
            reading.cancel()

    def _may_be_silent(self) -> bool:
        """Whether a version that may be active says nothing; `judge` looks at it again when more is known."""
        self.seen.gave_up = Judge(self.world).may_be_silent(self.seen, monotonic())
        return self.seen.gave_up


class Judge:
    """Compares what clients saw with what could be."""

    def __init__(self, world: World) -> None:
        self.world = world

    def may_be_silent(self, seen: Seen, now: float) -> bool:
        return any(
            each.version.accept in {"STALL", "HOLD"}
            or (bool(seen.connected) and bool({"drop", "hang"} & set(each.version.faults)))
            for each in self.world.possible(self._identities(seen, now), seen.began, now)
        )

    def faults(self, seen: Seen) -> Iterator[str]:
        """What is wrong with it, a sentence each."""
        for exchange in seen.exchanges:
            if exchange.complete and not self._said(seen, exchange):
                yield f"{_short(exchange.heard)} is what no version that was active says to {_short(exchange.request)}"
            if exchange.heard.partition(b" ")[0].decode(errors="replace").strip("<") in self.world.forbidden:
                yield f"{_short(exchange.heard)} is of a change that was refused"
        if seen.end not in {"left", "abandoned"} and not self.explanations(seen):
            last = seen.exchanges[-1].heard if seen.exchanges else b""
            yield f"it ended by {seen.end} after {_short(last)}, and nothing explains that"

    def _identities(self, seen: Seen, now: float) -> set[int]:
        """Who may have accepted it: it may wait for that until its first reply, where a worker has died."""
        first = seen.exchanges[0].done if seen.exchanges else 0.0
        return self.world.at(seen.address, seen.began, first or now)

    def _said(self, seen: Seen, exchange: Exchange) -> bool:
        """Whether a version that was possible between the request and the reply says so.

        A listener that was removed still answers the first request of a client that had connected before.
        """
        first = all(each.done >= exchange.sent for each in seen.exchanges if each.complete)
        for period in self.world.possible(
            self._identities(seen, seen.ended), seen.began if first else exchange.sent, exchange.done
        ):
            if period.gone == inf and not period.overlaps(exchange.sent, exchange.done):
                continue
            expected = period.version.reply(exchange.request)
            if exchange.heard == expected:
                return True
            wrong = sum(one != other for one, other in zip(exchange.heard, expected, strict=False))
            if "corrupt" in period.version.faults and len(exchange.heard) == len(expected) and wrong <= 1:
                return True
        return self._corrupt(seen)

    def _corrupt(self, seen: Seen) -> bool:
        """Whether a line break may have been what was corrupted or dropped: then lines are not what they seem."""
        identities = self._identities(seen, seen.ended)
        possible = self.world.possible(identities, seen.began, seen.ended)
        return any({"corrupt", "drop"} & set(each.version.faults) for each in possible)

    def explanations(self, seen: Seen) -> set[str]:
        """What explains how it ended."""
        identities = self._identities(seen, seen.ended)
        periods = list(self.world.possible(identities, seen.began, seen.ended))
        versions = [each.version for each in periods]
        done = self.world.done(seen.began, seen.ended, {each.name for each in versions} | {seen.name})
        gone = any(each.gone <= seen.ended for each in periods) or any(
            each.gone <= seen.ended for each in self.world.periods if each.version.identity in identities
        )
        moving = gone or len({each.address for each in versions}) > 1 or not versions
        unix = seen.address.startswith("unix:")
        partial = bool(seen.exchanges and seen.exchanges[-1].heard and not seen.exchanges[-1].complete)
        answered = any(each.complete for each in seen.exchanges)
        faults = {fault for each in versions for fault in each.faults} & set(LOSING_FAULTS)
        accepts = {each.accept for each in versions}
        limits = {each.limits for each in versions}
        in_order = {f"closed in order by {each}" for each in done & IN_ORDER} | {
            f"closed in order by {each}" for each in limits & {"idle", "few", "short"}
        }
        in_order |= {"the listener was removed"} if gone else set()
        in_order |= {"accept"} if "CLOSE" in accepts else set()
        found: set[str] = {f"a worker died ({each})" for each in done & {"kill", "death"}} if seen.connected else set()
        if seen.end in {"stalled", "silence"} and seen.gave_up:
            found.add("a version that may say nothing, and was refused meanwhile")
        match seen.end:
            case "refused":
                found = {"accept"} if "REFUSE" in accepts else set()
                found |= {"moved"} if moving else set()
                found |= done & {"drain", "stop"}
            case "stalled":
                found |= {"accept"} if accepts & {"STALL", "HOLD"} else set()
            case "silence":
                found |= {"accept"} if "HOLD" in accepts else set()
                found |= {"drop", "hang"} & faults
            case "eof":
                found |= faults & {"truncate", "drop", "corrupt"}
                found |= faults & {"reset"} if unix else set()
                found |= {"accept"} if accepts & {"RESET"} and unix else set()
                found |= in_order if not partial else set()
                found |= {"lifetime"} if "short" in limits else set()  # it ends a reply in progress too
            case "reset":
                found |= faults & {"reset"}
                found |= {"accept"} if "RESET" in accepts else set()
                found |= {"max_connections"} if "few" in limits else set()
                found |= in_order | (faults & {"truncate"}) if unix and not partial else set()
                if not answered and not partial and (moving or len(accepts) > 1):
                    found.add("a move in mid-handshake")
            case "extra":
                found |= faults & {"corrupt", "drop"}
        return found


def _short(data: bytes) -> str:
    return repr(data if len(data) <= 80 else data[:40] + b" ... " + data[-40:])
