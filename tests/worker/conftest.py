from collections.abc import AsyncIterator

import pytest

from tests.worker.real_worker import RealWorker


@pytest.fixture
async def worker() -> AsyncIterator[RealWorker]:
    """A real worker; at the end its link is closed, so that it ends."""
    made = RealWorker()
    yield made
    made.link.close()
    await made.ended()
    for sock in made.sockets.values():
        sock.close()
