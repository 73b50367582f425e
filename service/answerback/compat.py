"""What newer versions of Python have in their standard library."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

# Rule: typing_extensions is for the type checker alone; it is not installed with the server.

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: Callable[..., Any]) -> Callable[..., Any]:
        """Mark a method that implements or replaces one of a base class (`typing.override`, Python 3.12)."""
        return method


__all__ = ["override"]
