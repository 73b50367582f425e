"""What a relay decides, and a driver in `net.relay` carries out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import Abort, Close


@dataclass(frozen=True, slots=True)
class Pass:
    """Hand these bytes to the kernel for a side. A memoryview is valid only until the driver reads again."""

    side: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Finish:
    """Send FIN to a side. Everything before it is in the kernel."""

    side: int
    cut: bool = False
    """Whether the stream ends without having been completed: TLS sends no close_notify."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to the upstream."""


Act = Pass | Finish | Connect | Close | Abort
"""What a driver has to do. Close and Abort end both sides."""

NOTHING: Final[Sequence[Act]] = ()
