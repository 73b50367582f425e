"""The network of a talk that is explained: connections of a simulated listener, and the simulated time."""

from answerback.core.plan import Accept
from answerback.explain.connection import SimulatedConnection
from answerback.explain.world import World


class SimulatedEndpoint:
    """The client's end of a simulated connection. See `talk.network.Endpoint`."""

    def __init__(self, world: World, connection: SimulatedConnection) -> None:
        self._world = world
        self._connection = connection

    def send(self, data: bytes, timeout: float) -> None:  # noqa: ARG002 - an Endpoint; it takes no time
        """Send bytes."""
        self._connection.send(data)

    def start_tls(self, timeout: float) -> "SimulatedEndpoint":  # noqa: ARG002 - nothing takes time
        """Go on: what is inside is played."""
        return self

    def send_eof(self) -> None:
        """Close the sending half."""
        self._connection.send_fin()

    def read(self, timeout: float) -> bytes:
        """Let time pass until there are bytes, or none at the end. Raises TimeoutError, ConnectionResetError."""
        connection = self._connection
        self._world.run_until(self._world.now + timeout, lambda: bool(connection.received) or connection.ended)
        data = bytes(connection.received)
        connection.received.clear()
        if not data and connection.was_reset:
            raise ConnectionResetError
        if not data and not connection.ended:
            raise TimeoutError
        return data

    def close(self) -> None:
        """Leave the connection."""
        self._connection.leave()


class SimulatedNetwork:
    """Connects to the simulated listener. See `talk.network.Network`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> float:
        """Return the simulated time."""
        return self._world.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._world.run_until(self._world.now + seconds)

    def connect(self, timeout: float) -> SimulatedEndpoint:
        """Open a connection. Raises ConnectionRefusedError, TimeoutError."""
        connection = self._world.connect()
        if self._world.accept is Accept.REFUSE:
            raise ConnectionRefusedError("Connection refused")
        if self._world.accept is Accept.STALL:
            self.sleep(timeout)
            raise TimeoutError
        return SimulatedEndpoint(self._world, connection)
