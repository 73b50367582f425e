"""bench.renewal: what is counted while certificates are renewed."""

from bench.load import LoadFailed
from bench.renewal import RENEWALS, renewed
from bench.results import Renewed


def test_lost_handshakes_and_certificates_are_counted() -> None:
    certificates = [b"first"]
    failures = iter((OSError("reset"), LoadFailed("nothing came")))
    calls = 0

    def shake() -> bytes:
        nonlocal calls
        calls += 1
        if calls in {2, 5}:
            raise next(failures)
        return certificates[-1]

    found = renewed(shake, lambda: certificates.append(b"%d" % len(certificates)), between=3, rate=1e9)
    assert (len(certificates), calls) == (RENEWALS + 1, 12)
    assert found == Renewed(12, found.per_second, 2, RENEWALS + 1)
    assert found.per_second > 0
