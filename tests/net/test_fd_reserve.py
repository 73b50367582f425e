"""The reserve of descriptors, in a process of its own, because limits cannot be raised again."""

import resource
import subprocess
import sys

import pytest

from answerback.net.fd_reserve import bounded

PROGRAM = """
import resource, sys
from answerback.net.fd_reserve import reserve, reserve_released
hard = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
print(reserve())
with reserve_released():
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize("hard, soft", [(256, 224), (64, 32), (40, 20)])
def test_fd_reserve_keeps_32_descriptors_or_half_free(hard: int, soft: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(hard)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(soft), str(hard), str(soft)]


@pytest.mark.parametrize(
    "hard, most, allowed", [(1024, 64, 64), (1024, 128, 124), (96, 64, 8), (256, 64, 28), (256, 5, 5), (40, 64, 8)]
)
def test_reserved_connections_are_limited_by_the_descriptor_limit(
    monkeypatch: pytest.MonkeyPatch, hard: int, most: int, allowed: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    assert bounded(most) == allowed
