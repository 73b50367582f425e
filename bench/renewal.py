"""Certificates are renewed while handshakes are made on schedule: how many handshakes were lost."""

# Rule: a client that is late makes up for it, so the rate is what was asked for if the machine can do it at all.

import time
from collections.abc import Callable

from bench.load import LoadFailed
from bench.results import Renewed

RATE = 500  # handshakes per second
BETWEEN = 1000  # handshakes between two renewals: more time than the second after which the server looks at its files
RENEWALS = 3


def renewed(
    shake: Callable[[], bytes], renew: Callable[[], None], *, between: int = BETWEEN, rate: float = RATE
) -> Renewed:
    """Make handshakes with a server whose certificates are renewed. Raises what `renew` raises.

    `shake` makes one, and returns the certificate; it raises OSError or LoadFailed if it is lost.
    """
    lost, certificates, began = 0, set[bytes](), time.monotonic()
    for number in range((RENEWALS + 1) * between):
        if number and number % between == 0:
            renew()
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        try:
            certificates.add(shake())
        except (OSError, LoadFailed):
            lost += 1
    made = (RENEWALS + 1) * between
    return Renewed(made, made / (time.monotonic() - began), lost, len(certificates))
