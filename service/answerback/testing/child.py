"""Runs in the process of a test server: `answerback serve`, which ends when the process that started it does.

    python -m answerback.testing.child PARENT FOLDER [COMMAND …] -- ARGUMENTS

Without COMMAND it runs the server of this installation, and removes FOLDER at the end, even without a parent.
"""

import ctypes
import os
import shutil
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def main() -> None:
    """Tie this process to its parent, and serve."""
    parent, folder, *command = sys.argv[1:]
    split = command.index("--")
    command, arguments = command[:split], command[split + 1 :]
    if parent != "0":
        _end_with(int(parent))
    if command:
        try:
            os.execvp(command[0], [*command, *arguments])  # noqa: S606 - as the owner of the tests has said
        except OSError as error:
            sys.exit(f"{command[0]}: {error.strerror}")
    from answerback import cli  # noqa: PLC0415 - an installation of the client alone has no server

    try:
        cli.main(arguments, prog_name="answerback")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it could be watched
        sys.exit("the process that started this server has ended")


if __name__ == "__main__":
    main()
