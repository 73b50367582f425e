"""`python -m answerback.worker`: how the supervisor starts a worker."""

import gc

gc.disable()  # no garbage is created at startup; a collection would take a tenth of the startup time

from answerback.worker.start import run  # noqa: E402 - after what is said above

run()
