"""Tools: found on PATH, and when missing named with what to install."""

from pathlib import Path

import pytest
from bench.tools import ToolMissing, Tools, rivals_python


def test_program_on_path_is_found(tmp_path: Path) -> None:
    program = tmp_path / "wrk"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert Tools({"PATH": str(tmp_path)}).need("wrk") == str(program)


def test_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ToolMissing, match="h2load is not installed; it comes with the Debian package nghttp2-client"):
        Tools({"PATH": ""}).need("h2load")


def test_the_rivals_interpreter_is_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.tools.RIVALS", tmp_path)
    with pytest.raises(ToolMissing, match="make bench does it"):
        rivals_python()
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert rivals_python() == str(program)
