"""`dayfly source`: files are listed, printed as they are, and written into a folder of their own and nowhere else."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from dayfly.model.source import Source, SourceFile

Run = Callable[..., Any]
FILES = (
    SourceFile(path="handler.py", size_bytes=8, text="x = 'ü'\n"),
    SourceFile(path="lib/run.sh", size_bytes=2048, text="echo\n", executable=True),
    SourceFile(path="logo.png", size_bytes=3 * 2**20),
)


class FakeSource:
    """Answers as the gateway does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.source = Source(revision=3, bundle="sha256:" + "a" * 64, files=FILES)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.raw_path.decode())
        return httpx2.Response(200, content=msgspec.json.encode(self.source))


@pytest.fixture
def source(platform: Any) -> FakeSource:
    """The code of the function `hello`."""
    platform.source = FakeSource()
    return platform.source  # type: ignore[no-any-return] # it was made in the line above


def test_files_are_listed(dayfly: Run, source: FakeSource) -> None:
    lines = dayfly("source", "hello").stdout.splitlines()
    assert [[field.strip() for field in line.split("\t")] for line in lines] == [
        ["File", "Size", "Kind"], ["handler.py", "8", "text"], ["lib/run.sh", "2Ki", "program"],
        ["logo.png", "3Mi", "not shown"],
    ]  # fmt: skip
    assert dayfly("source", "hello", "--revision", "3", "-o", "name").stdout.split() == [each.path for each in FILES]
    assert json.loads(dayfly("source", "hello.team", "-o", "json").stdout)["revision"] == 3
    assert source.asked == [
        f"/v1/namespaces/{rest}"
        for rest in (
            "openfaas-fn/functions/hello/source", "openfaas-fn/functions/hello/source?revision=3",
            "team/functions/hello/source",
        )
    ]  # fmt: skip
    source.source = msgspec.structs.replace(source.source, cut=True)
    assert "revision 3 has more" in dayfly("source", "hello").stderr


def test_a_file_is_printed_as_it_is(dayfly: Run, source: FakeSource) -> None:
    assert dayfly("source", "hello", "handler.py").stdout_bytes == "x = 'ü'\n".encode()
    missing, picture = dayfly("source", "hello", "none.py"), dayfly("source", "hello", "logo.png")
    assert (missing.exit_code, "has no file none.py" in missing.stderr) == (66, True)
    assert (picture.stdout, "is no text" in picture.stderr) == ("", True)
    assert picture.exit_code != 0
    asked = len(source.asked)
    for wrong in (("handler.py", "--to", "x"), ("handler.py", "-o", "json"), ("--to", "x", "-o", "json")):
        assert dayfly("source", "hello", *wrong).exit_code == 64, wrong
    assert len(source.asked) == asked


def test_files_are_written_into_a_folder(dayfly: Run, source: FakeSource, home: Path) -> None:
    written = dayfly("source", "hello", "--to", "out/code")
    assert written.stdout == "Source written: revision 3, 2 files in out/code\n"
    assert "Not written, since they are no texts or too large: logo.png." in written.stderr
    assert (home / "out/code/handler.py").read_text(encoding="utf-8") == "x = 'ü'\n"
    assert os.access(home / "out/code/lib/run.sh", os.X_OK)
    assert not os.access(home / "out/code/handler.py", os.X_OK) or os.geteuid() == 0
    assert (home / "out/code/handler.py").stat().st_mode & 0o111 == 0
    again = dayfly("source", "hello", "--to", "out/code")
    assert (again.exit_code, "not an empty folder" in again.stderr) == (73, True)
    (home / "file").touch()
    assert dayfly("source", "hello", "--to", "file").exit_code == 73
    assert dayfly("source", "hello", "--to", "file/below").exit_code == 78
    (home / "empty").mkdir()
    assert dayfly("source", "hello", "--to", "empty").exit_code == 0
    assert source.asked


@pytest.mark.parametrize("path", ["../out.py", "a/../../out.py", "/tmp/out.py", "", ".", "a\0b"])
def test_nothing_is_written_elsewhere(dayfly: Run, source: FakeSource, home: Path, path: str) -> None:
    bad = SourceFile(path=path, size_bytes=1, text="bad")
    source.source = msgspec.structs.replace(source.source, files=(*FILES, bad))
    outcome = dayfly("source", "hello", "--to", "code")
    assert (outcome.exit_code, "would lie elsewhere" in outcome.stderr) == (70, True)
    assert list(home.iterdir()) == [], "and nothing at all is"
