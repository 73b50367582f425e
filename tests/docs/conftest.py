"""What pages need: a running server."""

from tests.system.conftest import responder

__all__ = ("responder",)
