"""Rules of the source that no linter has: sizes, docstrings, and what must never be in it."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "dayfly"
STARTERS = SOURCE / "client" / "template"
"""Functions as their authors write them, which are data to us."""
MODULES = sorted(path for path in SOURCE.rglob("*.py") if not path.is_relative_to(STARTERS))
LONGEST_MODULE = 300
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}

SUFFIXES = {".py", ".toml", ".md", ".sh", ".txt", ".yaml", ".yml", ".html", ".js", ".css", ".cfg", ".ini", ".json"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def project_files() -> list[Path]:
    """Return the files that belong to the project, tracked or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    names = listed.stdout.split("\n") if listed.returncode == 0 else []
    found = [ROOT / each for each in names if each] or [path for path in ROOT.rglob("*") if ".venv" not in path.parts]
    return [path for path in found if path.is_file() and (path.suffix in SUFFIXES or path.name == "Makefile")]


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 50
    assert len(project_files()) > 100


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {module: length for module, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name(path) for path in MODULES if path.stem in VAGUE or path.parent.name in VAGUE] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_everything_public_says_what_it_is(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module), "the module"
    missing = [node.name for node in public(module) if not ast.get_docstring(node)]
    assert missing == []


def public(
    module: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield the public functions and classes, and the public methods of the classes."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if any(isinstance(each, ast.Attribute) and each.attr == "setter" for each in node.decorator_list):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_shell_and_no_unsafe_reader_is_called(path: Path) -> None:
    found = []
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        shell = any(each.arg == "shell" and not _is_false(each.value) for each in node.keywords)
        forbidden = called in {"os.system", "os.popen", "eval", "exec", "asyncio.create_subprocess_shell"}
        forbidden |= called.endswith((".extractall", "pickle.loads", "pickle.load", "yaml.load", "marshal.loads"))
        if shell or forbidden:
            found.append(f"line {node.lineno}: {called}")
    assert found == []


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_exceptions_of_every_kind_are_caught_only_with_a_reason() -> None:
    found = []
    for path in MODULES:
        lines = path.read_text().splitlines()
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            kinds = ast.unparse(node.type) if node.type else "everything"
            if kinds not in ("everything", "Exception", "BaseException"):
                continue
            body = node.body[-1].end_lineno or node.lineno
            around = lines[max(0, node.lineno - 3) : body]
            reraised = isinstance(node.body[-1], ast.Raise)
            if not reraised and not any("#" in line for line in around):
                found.append(f"{name(path)}:{node.lineno}")
    assert found == []


def test_silence_for_a_linter_or_type_checker_names_its_rule_and_its_reason() -> None:
    mark = re.compile(r"#\s*(noqa|type: ignore)")
    good = re.compile(r"#\s*(noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|type: ignore\[[\w, -]+\])\W+\w.{4,}")
    found = []
    for path in MODULES:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if mark.search(line) and not good.search(line):
                found.append(f"{name(path)}:{number}")
    assert found == []


def test_no_registry_and_no_path_of_one_machine_is_in_the_project() -> None:
    hosts = re.compile(r"https?://[^\s\"'`<>)]*(/simple\b|pypi|npmjs|registry|/debian\b)", re.IGNORECASE)
    paths = re.compile(r"(?<![\w.}])/(work|root)/[\w.]")
    found = []
    for path in project_files():
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if hosts.search(line) or paths.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_locks_hold_versions_and_hashes_and_nothing_else() -> None:
    locks = sorted((ROOT / "locks").glob("*.txt"))
    assert {"runtime.txt", "test.txt", "tools.txt"} <= {lock.name for lock in locks}
    line = re.compile(r"[a-z0-9-]+==[\w.!+]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    for lock in locks:
        assert [text for text in lock.read_text().splitlines() if not line.fullmatch(text)] == []


def test_nothing_unfinished_is_called_done() -> None:
    found = []
    for path in MODULES:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                found.append(f"{name(path)}:{number}")
    assert found == []


def test_the_files_that_take_longest_are_there() -> None:
    assert [each for each in LONGEST if not (ROOT / "tests" / each).is_file()] == []
