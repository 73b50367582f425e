"""The client of the admin API for asyncio: the same calls as `answerback.Client`, to await."""

from answerback.aio.client import Client

__all__ = ("Client",)
