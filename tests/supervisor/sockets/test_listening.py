"""Listening sockets alone, without a supervisor."""

import socket

from answerback.supervisor.sockets.listen_state import listen, listens


def test_address_can_be_bound_again_while_connections_accepted_there_live() -> None:
    with socket.socket() as former, socket.socket() as latter:
        former.bind(("127.0.0.1", 0))
        address = former.getsockname()
        assert not listens(former)
        listen(former)
        assert listens(former)
        with socket.create_connection(address), former.accept()[0]:
            former.close()
            latter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            latter.bind(address)
            listen(latter)
