"""Behaviours of clients, and the counters that each must cause."""

# Rule: one behaviour, one function; it enters in the account what no other observer could know better.

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from tests.system.talking import Account, Talk

Address = tuple[str, int]
Behaviour = Callable[[Address, Account], Awaitable[None]]

DELAY_SECONDS: Final = 0.02
STALL_SECONDS: Final = 60.0  # longer than any client takes
LONG: Final = 200_000  # bytes of a line; more than socket buffers take at once

RULES: Final = """
    framing: line
    rules:
      - {name: ping, when: PING, do: [send: "+PONG\\r\\n"]}
      - {name: quit, when: QUIT, do: [send: "bye\\n", close]}
      - {name: drop, when: DROP, do: [reset]}
      - {name: slow, when: SLOW, do: [delay: 20ms, send: "late\\n"]}
      - {name: stall, when: STALL, do: [send: "wait\\n", delay: 60s, send: "never\\n"]}
      - {name: mute, when: MUTE, do: [discard]}
      - {name: echo, when: {prefix: E}, do: [echo]}
"""


async def one_ping(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"PING\n")
        account.asked("ping")
        await talk.hear(b"+PONG\r\n")
        talk.finish()
        assert await talk.rest() == b""
        account.ended("peer_eof")


async def many_requests(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        for _ in range(7):
            await talk.say(b"PING\n")
            account.asked("ping")
            await talk.hear(b"+PONG\r\n")
            await talk.say(b"Echo!\r\n")
            account.asked("echo")
            await talk.hear(b"Echo!")
        talk.finish()
        assert await talk.rest() == b""
        account.ended("peer_eof")


async def pipelined(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"PING\n" * 100 + b"MUTE\nwhat?\nPING\n")
        account.asked("ping", 101)
        account.asked("mute")
        account.unmatched += 1
        await talk.hear(b"+PONG\r\n" * 101)
        talk.finish()
        assert await talk.rest() == b""
        account.ended("peer_eof")


async def many_that_are_not_answered(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"what?\n" * 1000 + b"MUTE\n" * 1000 + b"PING\n")
        account.unmatched += 1000
        account.asked("mute", 1000)
        account.asked("ping")
        await talk.hear(b"+PONG\r\n")
        talk.finish()
        assert await talk.rest() == b""
        account.ended("peer_eof")


async def pipelined_behind_a_half_close(address: Address, account: Account) -> None:
    """The server finishes the replies it owes."""
    async with Talk(address, account) as talk:
        await talk.say(b"SLOW\nPING\nSLOW\n")
        talk.finish()
        account.asked("slow", 2)
        account.asked("ping")
        account.delay += 2 * DELAY_SECONDS
        assert await talk.rest() == b"late\n+PONG\r\nlate\n"
        account.ended("peer_eof")


async def a_request_in_pieces(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        for piece in (b"P", b"IN", b"G\nPI", b"NG\n"):
            await talk.say(piece)
            await asyncio.sleep(0)
        account.asked("ping", 2)
        await talk.hear(b"+PONG\r\n" * 2)
        talk.finish()
        assert await talk.rest() == b""
        account.ended("peer_eof")


async def a_request_cut_short(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"PING\nPIN")
        account.asked("ping")
        talk.finish()
        assert await talk.rest() == b"+PONG\r\n"
        account.truncated += 1
        account.ended("peer_eof")


async def the_server_closes(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"QUIT\n")
        account.asked("quit")
        assert await talk.rest() == b"bye\n"
        account.ended("server_close")


async def the_server_closes_and_the_client_talks_on(address: Address, account: Account) -> None:
    """What comes behind the close is read and counted, but is no request."""
    async with Talk(address, account) as talk:
        await talk.say(b"PING\nQUIT\nPING\n")
        account.asked("ping")
        account.asked("quit")
        assert await talk.rest() == b"+PONG\r\nbye\n"
        await talk.say(b"PING\n" * 1000)
        talk.finish()
        account.ended("server_close")


async def the_server_resets(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"PING\n")
        account.asked("ping")
        await talk.hear(b"+PONG\r\n")
        await talk.say(b"DROP\n")
        account.asked("drop")
        assert await talk.is_reset()
        account.ended("server_reset")


async def the_client_resets(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"PING\n")
        account.asked("ping")
        await talk.hear(b"+PONG\r\n")
        talk.reset()
        account.ended("peer_reset")


async def the_client_resets_during_a_delay(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        await talk.say(b"PING\nSTALL\n")
        account.asked("ping")
        account.asked("stall")
        account.unfinished += 1
        account.delay += STALL_SECONDS
        await talk.hear(b"+PONG\r\nwait\n")
        talk.reset()
        account.ended("peer_reset")


async def a_probe(address: Address, account: Account) -> None:
    async with Talk(address, account):
        account.probes += 1
        account.ended("peer_eof")


async def a_probe_that_resets(address: Address, account: Account) -> None:
    async with Talk(address, account) as talk:
        account.probes += 1
        talk.reset()
        account.ended("peer_reset")


async def a_long_echo(address: Address, account: Account) -> None:
    line = b"E" * LONG
    async with Talk(address, account) as talk:
        speaking = asyncio.create_task(talk.say(line + b"\n" + line + b"\n"))
        account.asked("echo", 2)
        await talk.hear(line + line)
        await speaking
        talk.finish()
        assert await talk.rest() == b""
        account.ended("peer_eof")


BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    behaviour.__name__: behaviour
    for behaviour in (
        one_ping,
        many_requests,
        pipelined,
        many_that_are_not_answered,
        pipelined_behind_a_half_close,
        a_request_in_pieces,
        a_request_cut_short,
        the_server_closes,
        the_server_closes_and_the_client_talks_on,
        the_server_resets,
        the_client_resets,
        the_client_resets_during_a_delay,
        a_probe,
        a_probe_that_resets,
        a_long_echo,
    )
}
