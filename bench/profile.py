"""``python -m bench.profile``: where the server's time goes under a load, by perf.

Functions of the interpreter's C code and of the kernel; with Python 3.12 or newer, Python's own as well.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import load
from bench.cpu import descendants, pinned, usable_cores
from bench.roster import ROSTER, started
from bench.server import CouldNotRun

REPEAT = 5  # runs of the mode's full count: some seconds of samples
FREQUENCY = "4999"  # samples per second; prime, so that it does not beat with timers
RECORD = ("record", "-F", FREQUENCY, "-e", "cpu-clock", "-q")
REPORT = ("report", "--stdio", "--no-children", "--percent-limit", "0.5", "--sort", "dso,symbol")


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile one contender in one mode; 1 if it, perf or the client cannot be run."""
    modes = {mode.name: mode for mode in load.MODES}
    contenders = {contender.key: contender for contender in ROSTER}
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--mode", choices=modes, default="persistent")
    parser.add_argument("--contender", choices=contenders, default="callback")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="keep perf's data, for `perf report` and flame graphs"
    )
    options = parser.parse_args(arguments)
    perf, client = shutil.which("perf"), shutil.which("redis-benchmark")
    if perf is None or client is None:
        print("perf and redis-benchmark are needed", file=sys.stderr)
        return 1
    os.environ["PYTHONPERFSUPPORT"] = "1"  # of 3.12 and newer
    cores, mode = usable_cores(), modes[options.mode]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        data = options.keep or folder / "perf.data"
        try:
            server = stack.enter_context(started(contenders[options.contender], folder, cores.server))
            pids = ",".join(str(pid) for pid in (server.pid, *descendants(server.pid)))
            with pinned(cores.client):
                recorder = subprocess.Popen([perf, *RECORD, "-g", "-o", str(data), "-p", pids])
                try:
                    for _ in range(REPEAT):
                        load.run_load(client, server.port, mode, mode.requests)
                finally:
                    recorder.send_signal(signal.SIGINT)
                    recorder.wait()
        except (CouldNotRun, load.LoadFailed) as problem:
            print(problem, file=sys.stderr)
            return 1
        # While the server still runs: perf resolves its symbols then as well.
        return subprocess.run([perf, *REPORT, "-g", "none", "-i", str(data)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
