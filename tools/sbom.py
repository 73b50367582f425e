"""Write the bill of materials, in CycloneDX 1.6 as JSON: `python -m tools.sbom WHERE`.

It is that of what `make run` and the image install, and of nothing else: requirements/run.txt, installed by hash in a
virtual environment of its own. Each package stands there with its version, licence and package URL, and with what it
depends on. Validated against the schema of CycloneDX before it is written. The same pins make the same file; its
timestamp is that of SOURCE_DATE_EPOCH (Unix time), and it has none without.
"""

# Rule: nothing is written but the file; the environment is a temporary one.

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import answerback

ROOT: Final = Path(__file__).resolve().parent.parent
BIN: Final = Path(sys.executable).parent
DYNAMIC: Final = 'dynamic = ["version"]'


def main(where: Path) -> None:
    """Write the bill to `where`; CalledProcessError if it cannot be made or is not valid."""
    where.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        project = Path(folder) / "pyproject.toml"
        project.write_text(stated((ROOT / "pyproject.toml").read_text()))
        run("uv", "venv", "--quiet", "--python", sys.executable, str(python.parent.parent))
        pins = str(ROOT / "requirements" / "run.txt")
        install = ("pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:")
        run("uv", *install, "--python", str(python), "--requirements", pins)
        bill = ("environment", "--output-reproducible", "--spec-version", "1.6", "--validate")
        run("cyclonedx-py", *bill, "--pyproject", str(project), "--output-file", str(where.resolve()), str(python))


def stated(pyproject: str) -> str:
    """A pyproject.toml with the version in it, which otherwise stands in the package."""
    assert pyproject.count(DYNAMIC) == 1
    return pyproject.replace(DYNAMIC, f'version = "{answerback.__version__}"')


def run(program: str, *arguments: str) -> None:
    """Run a program of the group `ci`."""
    subprocess.run([str(BIN / program), *arguments], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
