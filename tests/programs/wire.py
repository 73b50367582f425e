"""Scenarios between a client and a server, directly and through relays, as tshark sees them on the loopback.

It is a program, so that it can run in a network namespace: `unshare -rn python -m tests.programs.wire FOLDER`. It
prints JSON: by engine ("" is without a relay) and scenario, what was seen on the connections of client and server.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.waiting import eventually

HOST = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close(2) sends RST
QUESTION, ANSWER = bytes(1000), bytes(300_000)
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
FIELDS = ("tcp.srcport", "tcp.dstport", "tcp.seq", "tcp.len", "tcp.flags.fin", "tcp.flags.reset")

Flow = tuple[int, int]
"""The ports of a packet: from, to."""
End = socket.socket


def client_closes_first(client: End, server: End) -> None:
    talk(client, server)
    client.close()
    hear_end(server)
    server.close()


def server_closes_first(client: End, server: End) -> None:
    talk(client, server)
    server.close()
    hear_end(client)
    client.close()


def server_answers_behind_the_clients_fin(client: End, server: End) -> None:
    client.sendall(QUESTION)
    client.shutdown(socket.SHUT_WR)
    hear(server, len(QUESTION))
    hear_end(server)
    send(server, client, ANSWER)
    server.close()
    hear_end(client)
    client.close()


def client_answers_behind_the_servers_fin(client: End, server: End) -> None:
    server.sendall(QUESTION)
    server.shutdown(socket.SHUT_WR)
    hear(client, len(QUESTION))
    hear_end(client)
    send(client, server, ANSWER)
    client.close()
    hear_end(server)
    server.close()


def client_resets(client: End, server: End) -> None:
    talk(client, server)
    reset(client)
    hear_reset(server)
    server.close()


def server_resets(client: End, server: End) -> None:
    talk(client, server)
    reset(server)
    hear_reset(client)
    client.close()


def client_resets_behind_the_servers_fin(client: End, server: End) -> None:
    talk(client, server)
    server.shutdown(socket.SHUT_WR)
    hear_end(client)
    reset(client)
    hear_reset(server)
    server.close()


def server_resets_behind_the_clients_fin(client: End, server: End) -> None:
    talk(client, server)
    client.shutdown(socket.SHUT_WR)
    hear_end(server)
    reset(server)
    hear_reset(client)
    client.close()


SCENARIOS = (
    client_closes_first,
    server_closes_first,
    server_answers_behind_the_clients_fin,
    client_answers_behind_the_servers_fin,
    client_resets,
    server_resets,
    client_resets_behind_the_servers_fin,
    server_resets_behind_the_clients_fin,
)


def talk(client: End, server: End) -> None:
    """A question and an answer."""
    client.sendall(QUESTION)
    hear(server, len(QUESTION))
    send(server, client, ANSWER)


def send(speaker: End, hearer: End, data: bytes) -> None:
    """Send much; the other end reads it meanwhile."""
    thread = threading.Thread(target=speaker.sendall, args=(data,))
    thread.start()
    hear(hearer, len(data))
    thread.join()


def hear(end: End, size: int) -> None:
    """Read that many bytes."""
    while size:
        got = len(end.recv(size))
        assert got, "it ended too early"
        size -= got


def hear_end(end: End) -> None:
    """Read FIN."""
    assert end.recv(1) == b""


def hear_reset(end: End) -> None:
    """Read RST."""
    try:
        got = end.recv(1)
    except ConnectionResetError:
        return
    raise AssertionError(f"read {got!r} in place of a reset")


def reset(end: End) -> None:
    """Close by RST."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    end.close()


@dataclass
class Capture:
    """The packets that tshark has printed so far."""

    process: subprocess.Popen[str]
    packets: list[tuple[Flow, range, bool, bool]] = field(default_factory=list)

    def read(self) -> None:
        """Read until tshark ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            source, target, *numbers, fin, rst = line.split()
            number, size = map(int, numbers)  # of the first byte, counted from 1: so tshark shows it
            held = range(number - 1, number - 1 + size)
            self.packets.append(((int(source), int(target)), held, is_set(fin), is_set(rst)))

    def seen(self, near: int, far: int) -> dict[str, object]:
        """What passed on one connection: the bytes of each end, and the order of last bytes, FIN and RST."""
        names = {(near, far): "client", (far, near): "server"}
        sizes = dict.fromkeys(names.values(), 0)
        last: dict[str, int] = {}
        for number, (flow, held, fin, rst) in enumerate(self.packets):
            if (name := names.get(flow)) is None:
                continue
            if held and held.stop > sizes[name]:  # what is sent again, because the machine is busy, is nothing new
                sizes[name] = held.stop
                last[f"{name}'s last byte"] = 3 * number
            for what, happened in (("FIN", fin), ("RST", rst)):
                if happened:
                    last.setdefault(f"{name}'s {what}", 3 * number + 1)
        return {"bytes": sizes, "order": sorted(last, key=lambda event: last[event])}


def is_set(flag: str) -> bool:
    """Whether tshark's field says so; its form depends on the version."""
    return flag in {"1", "True"}


@contextmanager
def capturing() -> Iterator[Capture]:
    """Capture all TCP packets on the loopback, until everything that was sent in the block has been seen."""
    # Only headers, and room for all of them: what a busy machine lets tshark read late is not lost.
    command = ["tshark", "-l", "-n", "-Q", "-i", "lo", "-s", "128", "-B", "64", "-f", "tcp", "-T", "fields"]
    for name in FIELDS:
        command += ["-e", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        capture = Capture(process)
        thread = threading.Thread(target=capture.read, daemon=True)
        thread.start()
        try:
            mark(capture, "tshark captures")
            yield capture
            mark(capture, "tshark has seen everything")
        finally:
            process.terminate()
            thread.join(10)


def mark(capture: Capture, what: str) -> None:
    """Wait until packets that are sent now have been seen."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]

        def seen() -> bool:
            with socket.create_connection((HOST, port)), listener.accept()[0]:
                pass
            return any(port in flow for flow, *_ in list(capture.packets))

        eventually(seen, what=what)


def play(scenario: Callable[[End, End], None], port: int, listener: socket.socket) -> tuple[Flow, Flow]:
    """Play a scenario with a server behind this port; return the connections of both: the ports of its ends."""
    with socket.create_connection((HOST, port), 10) as client, listener.accept()[0] as server:
        client.settimeout(10)
        server.settimeout(10)
        both = (client.getsockname()[1], port), (server.getpeername()[1], listener.getsockname()[1])
        scenario(client, server)
        return both


def bring_up_loopback() -> None:
    """In a new network namespace it is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)
        if not flags & IFF_UP:
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def main(folder: Path) -> None:
    """Play everything, and print what was seen."""
    bring_up_loopback()
    ports = {engine: free_port() for engine in ("callback", "coroutine")}
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(10)
        upstream = listener.getsockname()[1]
        config = "listeners:\n" + "".join(
            f"  - {{name: {engine}, address: '{HOST}:{port}', engine: {engine}, upstream: '{HOST}:{upstream}'}}\n"
            for engine, port in ports.items()
        )
        found: dict[str, dict[str, tuple[Flow, Flow]]] = {}
        with serving(RunningServer(0, free_port(), free_port()), config, folder), capturing() as capture:
            for engine, port in {"": upstream, **ports}.items():
                found[engine] = {each.__name__: play(each, port, listener) for each in SCENARIOS}
    sys.stdout.write(
        json.dumps(
            {
                engine: {name: [capture.seen(*flow) for flow in flows] for name, flows in scenarios.items()}
                for engine, scenarios in found.items()
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
