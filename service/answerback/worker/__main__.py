"""`python -m answerback.worker`: how the supervisor starts a worker."""

import gc

gc.disable()  # nothing that is loaded at the start is garbage; looking for some takes a tenth of the start

from answerback.worker.start import run  # noqa: E402 - after what is said above

run()
