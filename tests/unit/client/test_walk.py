"""The fingerprint of a folder: it changes with what would be packed, and with nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dayfly.client.walk import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "fn"
    (top / "lib").mkdir(parents=True)
    (top / "handler.py").write_text("a = 1\n")
    (top / "lib" / "part.py").write_text("b = 1\n")
    (top / ".dayflyignore").write_text("*.log\n")
    return top


def renamed_over(folder: Path) -> None:
    fresh = folder / ".handler.py.swp"
    fresh.write_text("a = 2\n")
    stamp = (folder / "handler.py").stat().st_mtime_ns
    os.utime(fresh, ns=(stamp, stamp))
    fresh.rename(folder / "handler.py")


def compiled(folder: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "handler.pyc").write_text("x")


def in_place(folder: Path) -> None:
    with (folder / "lib" / "part.py").open("r+") as file:
        file.write("b = 2\n")
    os.utime(folder / "lib" / "part.py", ns=(1, 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "an editor that renames": renamed_over,
    "an editor that writes in place": in_place,
    "a file more": lambda folder: (folder / "more.py").write_text(""),
    "a file less": lambda folder: (folder / "lib" / "part.py").unlink(),
    "a folder more": lambda folder: (folder / "empty").mkdir(),
    "a file moved": lambda folder: (folder / "handler.py").rename(folder / "other.py"),
    "a file made executable": lambda folder: (folder / "handler.py").chmod(0o755),
    "a rule more": lambda folder: (folder / ".dayflyignore").write_text("*.log\nlib/\n"),
    "what is refused": lambda folder: (folder / ".env").write_text("KEY=1"),
    "nothing left": lambda folder: folder.rename(folder.parent / "away"),
}
NO_CHANGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: folder,
    "what is left out by a rule": lambda folder: (folder / "a.log").write_text("x"),
    "compiled files": compiled,
    "an editor's swap file": lambda folder: (folder / ".handler.py.swp").write_text("x"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_changes_with(change: str, folder: Path) -> None:
    before = fingerprint(folder)
    CHANGES[change](folder)
    assert fingerprint(folder) != before


@pytest.mark.parametrize("change", NO_CHANGES)
def test_it_stays_with(change: str, folder: Path) -> None:
    before = fingerprint(folder)
    NO_CHANGES[change](folder)
    assert fingerprint(folder) == before


def test_a_folder_that_cannot_be_packed_changes_with_the_reason(folder: Path) -> None:
    (folder / ".env").write_text("KEY=1")
    first = fingerprint(folder)
    assert "may hold credentials" in str(first)
    (folder / ".env").rename(folder / "key.pem")
    second = fingerprint(folder)
    assert second != first
    (folder / "key.pem").unlink()
    assert "refused" not in str(fingerprint(folder))
