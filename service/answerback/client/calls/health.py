"""The calls of gRPC's health service."""

from typing import Any

from answerback.client.faces import Caller, Feed, call, stream
from answerback.client.rpcs import HEALTH_SERVING, HealthRequest


class HealthCalls(Caller):
    """Whether the server serves."""

    @call
    async def health(self, service: str = "") -> bool:
        """Whether the server serves: as a whole, `readiness`, `liveness`, or `listener/NAME`. Raises NotFound."""
        return _serves(await self._call(HealthRequest(value=service)))

    @stream
    def watch_health(self, service: str = "") -> Feed[bool]:
        """Receive whether the server serves: now, and after each change."""
        return Feed(self, HealthRequest(value=service), _serves)


def _serves(response: Any) -> bool:
    return bool(response.value == HEALTH_SERVING)
