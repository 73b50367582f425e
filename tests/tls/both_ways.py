"""TLS in both directions at once, by one thread: two threads must not use one TLS connection (CPython before 3.13)."""

import selectors
import ssl

AT_ONCE = 16384
SECONDS = 60


def talk_both_ways(sock: ssl.SSLSocket, data: bytes, size: int) -> bytes:
    """Send the data while receiving `size` bytes; return these."""
    sock.setblocking(False)
    left, heard = memoryview(data), bytearray()
    while left or len(heard) < size:
        moved = False
        if left:
            try:
                left = left[sock.send(left[:AT_ONCE]) :]
                moved = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        if len(heard) < size:
            try:
                piece = sock.recv(min(AT_ONCE, size - len(heard)))
                assert piece, f"closed after {len(heard)} bytes"
                heard += piece
                moved = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        if not moved:
            with selectors.DefaultSelector() as selector:  # select.select takes no descriptor past 1,023
                selector.register(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if left else 0))
                assert selector.select(SECONDS), "nothing moves"
    sock.settimeout(10)
    return bytes(heard)
