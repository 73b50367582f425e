"""The ports that tests get."""

import subprocess
import sys

from tests import ports
from tests.ports import free_port

WALK = """
import itertools
from tests import ports
ports._offsets = itertools.count({start})
print(*(ports.free_port() for _ in range(50)))
"""


def test_processes_are_not_given_each_others_ports() -> None:
    """Both begin at the same place, and nothing is bound."""
    ours = [free_port() for _ in range(50)]
    start = ours[0] - ports._FIRST
    theirs = subprocess.run(
        [sys.executable, "-c", WALK.format(start=start)], check=True, capture_output=True, text=True
    ).stdout.split()
    assert len(theirs) == 50
    assert not {int(port) for port in theirs} & set(ours)


def test_ports_of_an_ended_process_are_given_again() -> None:
    command = [sys.executable, "-c", WALK.format(start=0)]
    first, second = (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(2)
    )
    assert set(first) & set(second)
