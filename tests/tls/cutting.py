"""TLS over a blocking socket, whose bytes leave in small pieces."""

import socket
import ssl


class CutTls:
    """One end. Every record that it sends is cut after `size` bytes, again and again."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, size: int, name: str | None = None) -> None:
        """`name`: of the server; None for the server's end."""
        self._sock = sock
        self._size = size
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=name is None, server_hostname=name)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
                continue
            self._flush()
            return

    def say(self, data: bytes) -> "CutTls":
        self._tls.write(data)
        self._flush()
        return self

    def hear(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self._tls.read(size - len(data))
                assert piece, f"closed after {data!r}"
                data += piece
            except ssl.SSLWantReadError:
                self._receive()
        return data

    def _flush(self) -> None:
        data = self._outgoing.read()
        for at in range(0, len(data), self._size):
            self._sock.sendall(data[at : at + self._size])

    def _receive(self) -> None:
        data = self._sock.recv(65536)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
