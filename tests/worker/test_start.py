"""A worker's start."""

import subprocess
import sys

from answerback.worker.start import Arguments

# What a worker must not have loaded once it serves: it would cost memory and time in each of them.
LOADED = """
import sys
from answerback.worker import start
print(*sorted({"grpc", "prometheus_client", "yaml", "aiohttp", "click", "rich", "sqlite3"} & set(sys.modules)))
"""


def test_worker_start_loads_no_unneeded_modules() -> None:
    found = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert found.stdout == "\n"


def test_worker_arguments_are_parsed() -> None:
    words = "--link 5 --counters 4 --slots 2 --slot 1 --region 2 --variables /x --log-format json --log-level debug"
    assert Arguments.parse(words.split()) == Arguments(5, 4, 2, 1, 2, "/x", "json", "debug")


def test_worker_start_with_invalid_link_prints_one_line_and_exits() -> None:
    text = "--link 0 --counters 0 --slots 1 --slot 0 --region 0 --log-format text --log-level info"
    words = [*text.split(), "--variables", ""]
    ended = subprocess.run(
        [sys.executable, "-m", "answerback.worker", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
