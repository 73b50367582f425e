"""How long tests search: with ANSWERBACK_TESTS=thorough they try more examples, as in CI."""

import os

THOROUGH = os.environ.get("ANSWERBACK_TESTS") == "thorough"
