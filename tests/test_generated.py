"""Generated files are committed, and equal what the .proto files generate."""

import subprocess
import sys
from pathlib import Path

from tools import api_reference, metrics_reference, proto, reference

BUF = Path(sys.executable).parent / "buf"


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    proto.generate(tmp_path)
    fresh, committed = proto.generated(tmp_path), proto.generated(proto.OUTPUT)
    assert sorted(map(str, committed)) == sorted(map(str, fresh)), "run `make proto`"
    stale = [str(path) for path, content in fresh.items() if committed[path] != content]
    assert stale == [], "run `make proto`"


def test_generated_references_are_up_to_date() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run `make proto`"
    assert api_reference.PAGE.read_text() == api_reference.page(), "run `make proto`"
    assert metrics_reference.PAGE.read_text() == metrics_reference.page(), "run `make proto`"


def test_protos_pass_buf_lint() -> None:
    buf = subprocess.run([BUF, "lint"], cwd=proto.ROOT, capture_output=True, text=True, check=False)
    assert (buf.returncode, buf.stdout, buf.stderr) == (0, "", "")


def test_protos_pass_buf_format() -> None:
    buf = subprocess.run([BUF, "format", "--diff"], cwd=proto.ROOT, capture_output=True, text=True, check=False)
    assert (buf.returncode, buf.stdout, buf.stderr) == (0, "", "")
