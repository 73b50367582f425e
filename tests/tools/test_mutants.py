"""Mutation testing: the mutations, the sample, and whether tests notice them."""

import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

from tools.mutants import choosing, mapping, reporting
from tools.mutants.__main__ import ROOT
from tools.mutants.choosing import StaleError, accepted, all_mutations, sample
from tools.mutants.operators import mutations


def changes(source: str) -> list[str]:
    return [each.change for each in mutations("a.py", source)]


CHANGES = [
    ("a < b", ["a < b -> pass", "< -> <="]),
    ("x = a if b >= c else d", [">= -> >", "b >= c -> (not (b >= c))"]),
    ("x = a is not b", ["is not -> is"]),
    ("x = a not in b", ["not in -> in"]),
    ("x = a and b or c", ["and -> or", "or -> and"]),
    ("x = not a", ["not a -> a"]),
    ("x = 1", ["1 -> 0", "1 -> 2"]),
    ("x = 0", ["0 -> (-1)", "0 -> 1"]),
    ("x = 0.5", ["0.5 -> 1.0"]),
    ("x = True", ["True -> False"]),
    ('x = b"ab"', ["b\"ab\" -> (b'?b')"]),
    ("x = a + b", ["+ -> -"]),
    ("x += a", ["+= -> -=", "x += a -> pass"]),
    ("x = -a", ["-a -> a"]),
    ("x = f(a, b)", ["a, b -> b, a"]),
    ("x = min(a)", ["min -> max"]),
    ("x = max(a, b)", ["max -> min"]),
    ("x = a.find(b)", ["find -> rfind"]),
    ("a.b = c", ["a.b = c -> pass"]),
    ("f(a)", ["f(a) -> pass"]),
    ("del a", ["del a -> pass"]),
    ("for a in b: break", ["break -> continue"]),
    ("for a in b: continue", ["continue -> break"]),
    ("if a: pass", ["a -> (not (a))"]),
    ("raise a", ["raise a -> pass"]),
    ("with a: pass", ['a -> __import__("contextlib").nullcontext()']),
    ("def f(a=1): ...", ["1 -> 0", "1 -> 2"]),
    ("def f() -> int:\n    return a", ["return a -> return None"]),
    ("def f() -> bool:\n    return a", ["a -> not (a)"]),
    ("try: pass\nexcept E: x = a", [" -> raise;"]),
    ("@cache\ndef f(): ...", ["@cache -> "]),
]


@pytest.mark.parametrize("source, expected", CHANGES)
def test_mutations_of_a_source_are_listed(source: str, expected: list[str]) -> None:
    assert sorted(changes(source)) == sorted(expected)


SKIPPED = [
    '"""A docstring, 1 < 2."""',
    "x: Literal[1]",
    "def f(a: Literal[1]) -> Literal[2]: ...",
    "if TYPE_CHECKING:\n    a = 1",
    "class A:\n    __slots__ = (b'a', b'b')",
    'log.info("%s", 1 + 2)',
    "Alias = First | Second",
    "class A(Protocol):\n    x = 1",
    "def __repr__(self): return 1",
    "assert 1 < 2",
    "from a import b",
    'x = f"{1}"',
    "x = 'text'",
]


@pytest.mark.parametrize("source", SKIPPED)
def test_source_without_mutations_has_none(source: str) -> None:
    assert changes(source) == []


def test_mutated_source_compiles_and_keeps_its_line_numbers() -> None:
    for path in sorted((ROOT / choosing.PACKAGE / "net").rglob("*.py")):
        source = path.read_bytes()
        for mutant in mutations(path.name, source.decode()):
            changed = mutant.applied(source)
            compile(changed, str(path), "exec")
            assert changed != source, mutant
            assert changed.count(b"\n") == source.count(b"\n"), mutant


def test_same_change_twice_on_a_line_is_numbered() -> None:
    assert changes("x = a + b + c") == ["+ -> -", "+ -> - #2"]


def test_mutation_after_multibyte_characters_is_at_its_place() -> None:
    source = 'x = "é" if a < b else c'
    (mutant, _) = mutations("a.py", source)
    assert mutant.applied(source.encode()).decode() in {
        'x = "é" if a <= b else c',
        'x = "é" if (not (a < b)) else c',
    }


def test_sample_depends_on_the_seed_and_not_on_other_mutations() -> None:
    mutants = mutations("a.py", "x = [1, 2, 3, 4, 5, 6, 7, 8]")
    chosen = sample(mutants, 1, 8)
    assert sample(mutants, 1, 8) == chosen
    assert sample(mutants, 2, 8) != chosen
    fewer = [mutant for mutant in mutants if mutant is not chosen[3]]
    assert sample(fewer, 1, 7) == [*chosen[:3], *chosen[4:8]]


ENTRY = """
[[accepted]]
file = "net/a.py"
function = ""
line = "x = 1"
change = "1 -> 2"
reason = "{reason}"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / choosing.PACKAGE / "net").mkdir(parents=True)
    (tmp_path / choosing.PACKAGE / "net" / "a.py").write_text("x = 1\n")
    return tmp_path


def test_accepted_mutation_without_reason_or_line_is_rejected(tree: Path) -> None:
    listed = tree / "accepted.toml"
    listed.write_text(ENTRY.format(reason="nobody sees it"))
    assert accepted(listed, tree) == {("net/a.py", "", "x = 1", "1 -> 2"): "nobody sees it"}
    listed.write_text(ENTRY.format(reason=" "))
    with pytest.raises(StaleError, match="has no reason"):
        accepted(listed, tree)
    listed.write_text(ENTRY.format(reason="a") * 2)
    with pytest.raises(StaleError, match="named twice"):
        accepted(listed, tree)
    listed.write_text(ENTRY.format(reason="a").replace("x = 1", "x = 3"))
    with pytest.raises(StaleError, match="there is no such mutation"):
        accepted(listed, tree)


def test_accepted_mutations_exist_in_the_code() -> None:
    assert all(accepted(ROOT / choosing.ACCEPTED, ROOT).values())


def test_surviving_mutation_is_reported_in_the_accepted_format(tree: Path) -> None:
    (mutant,) = (each for each in all_mutations(tree) if each.change == "1 -> 2")
    listed = tree / "accepted.toml"
    listed.write_text(reporting.entry(mutant).replace('reason = ""', 'reason = "a"'))
    assert accepted(listed, tree) == {mutant.key: "a"}


def test_each_module_has_tests_and_named_tests_exist() -> None:
    paths = {
        path for table in (mapping.MORE, mapping.LONG, mapping.ROOMS) for paths in table.values() for path in paths
    }
    assert [path for path in paths if not (ROOT / path).exists()] == []
    modules = choosing.modules(ROOT)
    for table in (mapping.MORE, mapping.LONG):
        assert [pattern for pattern in table if not any(Path(module).match(pattern) for module in modules)] == []
    first = mapping.phases("core/framing/line.py", ROOT)[0]
    assert first.paths == ("tests/core/framing/test_line.py",)


@pytest.mark.parametrize("room", choosing.ROOMS)
def test_each_room_has_mutants_and_the_tests_of_its_own_run_last(room: str) -> None:
    module = next(module for module in choosing.modules(ROOT, [room]) if mutations(module, source_of(module)))
    last = next(phase for phase in reversed(mapping.phases(module, ROOT)) if phase.marks == mapping.QUICK)
    assert last.paths == mapping.ROOMS[room]


def test_rooms_are_packages_and_each_has_its_tests() -> None:
    assert set(mapping.ROOMS) == set(choosing.ROOMS)
    assert [room for room in choosing.ROOMS if not (ROOT / choosing.PACKAGE / room).is_dir()] == []


def source_of(module: str) -> str:
    return (ROOT / choosing.PACKAGE / module).read_text()


# ── Runs ────────────────────────────────────────────────────────────────────────────────────────────────────────────
MODULE = """
import subprocess, sys

def grown(number):
    return number + 1

def told():
    return subprocess.run([sys.executable, "-m", "answerback.net.spoken"], capture_output=True).stdout

def spin(number):
    while number < 5:
        number += 1

def unused():
    return 8
"""
TESTS = """
from answerback.net import a

def test_grown():
    assert a.grown(1) == 2

def test_a_process_sees_the_mutant_too():
    assert a.told() == b"7"

def test_spin():
    a.spin(0)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A tree with a module, a program and their tests."""
    package = tmp_path / choosing.PACKAGE / "net"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "a.py").write_text(MODULE)
    (package / "spoken.py").write_text('print(5 + 2, end="")\n')
    (tmp_path / "tests" / "net").mkdir(parents=True)
    (tmp_path / "tests" / "net" / "test_a.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\npythonpath = ["service", "."]\naddopts = ["--import-mode=importlib"]\n'
        'markers = ["long", "programs", "container", "survival"]\n'
    )
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


DRIVER = """
import sys, time
from math import inf
from pathlib import Path
from tools.mutants import mapping, running
from tools.mutants.choosing import all_mutations
mapping.ROOMS, mapping.MORE = {"net": ("tests/net",)}, {}
running.OPTIONS = (*running.OPTIONS, "--timeout", "5")
root, folder, until, *wanted = sys.argv[1:]
mutants = [each for each in all_mutations(Path(root), ["net"]) if not wanted or each.change in wanted]
runner = running.Runner(Path(root), Path(folder), 2)
try:
    for verdict in runner.run(mutants, time.monotonic() + float(until)):
        print(f"{verdict.mutant.function}|{verdict.mutant.change}|{verdict.fate.value}|{verdict.noticed}")
except running.UncleanError as error:
    print("unclean", error)
"""


def fates(project: Path, folder: Path, *wanted: str, until: float = inf) -> dict[str, str]:
    """What became of the mutants, run by a process without threads, as `make mutants` is."""
    command = [sys.executable, "-c", DRIVER, str(project), str(folder), str(until), *wanted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=55)
    assert not done.stderr, done.stderr
    return {function + " " + change: fate + " " + by for function, change, fate, by in rows(done.stdout)}


def rows(text: str) -> list[list[str]]:
    assert "unclean" not in text, text
    return [line.split("|") for line in text.splitlines()]


def test_mutant_noticed_by_a_test_is_killed_also_in_subprocesses(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = fates(project, tmp_path_factory.mktemp("copies"), "+ -> -", "8 -> 9")
    assert found["grown + -> -"] == "killed tests/net/test_a.py::test_grown"
    assert found[" + -> -"] == "killed tests/net/test_a.py::test_a_process_sees_the_mutant_too"
    assert found["unused 8 -> 9"] == "survived "


def test_mutant_that_never_ends_is_reported_as_hung(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = fates(project, tmp_path_factory.mktemp("copies"), "+= -> -=")
    assert found == {"spin += -> -=": "hung tests/net/test_a.py::test_spin"}


def test_tests_that_fail_without_a_mutation_are_an_error(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (project / "tests" / "net" / "test_a.py").write_text("def test(): assert False\n")
    with pytest.raises(AssertionError, match="fails without a mutation"):
        fates(project, tmp_path_factory.mktemp("copies"), "+ -> -")


def test_no_mutant_is_started_after_the_deadline(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert fates(project, tmp_path_factory.mktemp("copies"), until=-1) == {}


def test_flaky_test_does_not_end_the_run(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    runs = tmp_path_factory.mktemp("runs") / "runs"
    flaky = f"""

def test_flaky():
    with open({str(runs)!r}, "a+") as runs:
        runs.write(".")
        runs.seek(0)
        assert len(runs.read()) > 2
"""
    (project / "tests" / "net" / "test_a.py").write_text(TESTS + flaky)
    found = fates(project, tmp_path_factory.mktemp("copies"), "8 -> 9")
    assert found["unused 8 -> 9"] == "killed tests/net/test_a.py::test_flaky"
    assert runs.read_text() == "...", "with the mutant, without it, and once more"
