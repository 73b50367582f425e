"""The architecture is tested: imports go down only, and a worker imports little."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Imports every module of the worker's room, then says which of the libraries it must never load are there.
LOAD_WORKER = """
import importlib, pkgutil, sys
import answerback.worker as room
for found in pkgutil.walk_packages(room.__path__, "answerback.worker."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print(*sorted({"grpc", "prometheus_client", "aiohttp", "click", "rich"} & set(sys.modules)))
"""


def test_imports_go_down_only() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert report.returncode == 0, report.stdout + report.stderr
    assert " 0 broken" in report.stdout


def test_worker_imports_neither_grpc_nor_prometheus_client() -> None:
    found = subprocess.run([sys.executable, "-c", LOAD_WORKER], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout.strip(), found.stderr) == (0, "", "")


def test_rooms_of_the_supervisor_have_few_entries() -> None:
    supervisor = ROOT / "service" / "answerback" / "supervisor"
    entries = [each.name for each in supervisor.iterdir() if each.name != "__pycache__"]
    assert len(entries) <= 15, entries
    assert all(len(list(room.glob("*.py"))) <= 15 for room in supervisor.iterdir() if room.is_dir())


def test_only_generated_modules_and_their_names_are_imported_under_another_name() -> None:
    renamed = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {alias.name} as {alias.asname}"
        for room in ("service", "tools", "bench")
        for file in sorted((ROOT / room).rglob("*.py"))
        if "_pb2" not in file.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname and not (alias.name.endswith("_pb2") or (getattr(node, "module", "") or "").endswith("_pb2"))
    ]
    assert renamed == []
