"""Generate the Python of every .proto under proto/: messages, their stubs, and gRPC where a service is declared.

Run as `python -m tools.proto [FOLDER]`; FOLDER is service/ by default.
"""

# Rule: a file without a service gets no gRPC module, so that a worker can import its messages and never load grpc.

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "proto"
OUTPUT = ROOT / "service"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")
SERVICE = re.compile(r"^service\s+\w+", re.MULTILINE)


def generated(folder: Path) -> dict[Path, bytes]:
    """What is generated under a folder: path relative to it, and content."""
    found = (path for pattern in GENERATED for path in folder.rglob(pattern))
    return {path.relative_to(folder): path.read_bytes() for path in found}


def generate(folder: Path) -> None:
    """Generate everything into a folder; raises CalledProcessError, protoc having said why on stderr."""
    sources = sorted(SOURCE.rglob("*.proto"))
    services = [path for path in sources if SERVICE.search(path.read_text(encoding="utf-8"))]
    protoc(sources, f"--python_out={folder}", f"--mypy_out=quiet:{folder}")
    if services:
        protoc(services, f"--grpc_python_out={folder}", f"--mypy_grpc_out=quiet:{folder}")


def protoc(sources: list[Path], *outputs: str) -> None:
    """Run protoc on files in proto/. Raises CalledProcessError; protoc prints the reason to stderr."""
    plugins = Path(sys.executable).parent
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={SOURCE}"),
        *(f"--plugin={path}" for path in sorted(plugins.glob("protoc-gen-mypy*"))),
        *outputs,
        *(str(path.relative_to(SOURCE)) for path in sources),
    ]
    subprocess.run(command, check=True)


def main() -> None:
    """Replace what was generated before."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    for stale in generated(folder):
        (folder / stale).unlink()
    generate(folder)


if __name__ == "__main__":
    main()
