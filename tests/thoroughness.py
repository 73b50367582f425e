"""How long tests may search: ANSWERBACK_TESTS=thorough has them try more, as CI does."""

import os

THOROUGH = os.environ.get("ANSWERBACK_TESTS") == "thorough"
