"""The upstream that sends much: after a line with a number it sends that many bytes, and FIN. One client at a time."""

import socket

CHUNK = bytes(range(256)) * 1024


def serve(connection: socket.socket) -> None:
    """Answer each line of a connection."""
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            if line == b"PING\r\n":  # "are you there", as to all contenders
                connection.sendall(b"+PONG\r\n")
                continue
            left = int(line)
            while left:
                left -= connection.send(memoryview(CHUNK)[:left])
            connection.shutdown(socket.SHUT_WR)


def main() -> None:
    """Serve on a free port of the loopback until ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print("READY", listener.getsockname()[1], flush=True)
        while True:
            try:
                serve(listener.accept()[0])
            except OSError:
                continue


if __name__ == "__main__":
    main()
