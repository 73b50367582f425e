"""Every metric family: its name, type, labels and help, and how its samples are read.

`make proto` writes the tables of docs/reference/metrics.md from this.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Final

from answerback.metrics import listener_families, server_families
from answerback.metrics.samples import Family

# Rule: base units; labels only from LABELS and those of build info, and never values that a peer chooses.
# Rule: every series that can be known exists from 0: the rate of a series that begins with 1 misses the first event.

PREFIX: Final = "answerback_"
LABELS: Final = ("listener", "rule", "reason", "direction", "fault", "worker", "errno", "outcome")

SECTIONS: Final[Mapping[str, tuple[Family, ...]]] = {**listener_families.SECTIONS, **server_families.SECTIONS}
FAMILIES: Final = tuple(chain.from_iterable(SECTIONS.values()))
