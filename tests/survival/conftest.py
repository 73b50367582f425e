"""The seed and the duration of a run."""

import os
import random

import pytest


@pytest.fixture
def seed() -> str:
    """ANSWERBACK_SEED, or a random one; it is printed with whatever fails."""
    return os.environ.get("ANSWERBACK_SEED") or str(random.SystemRandom().getrandbits(32))
