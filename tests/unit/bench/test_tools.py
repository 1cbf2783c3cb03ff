"""Tools: found on PATH, and when missing named with what to install."""

from pathlib import Path

import pytest
from bench.tools import ToolMissing, Tools


def test_program_on_path_is_found(tmp_path: Path) -> None:
    program = tmp_path / "wrk"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert Tools({"PATH": str(tmp_path)}).need("wrk") == str(program)


def test_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ToolMissing, match="h2load is not installed; it comes with the Debian package nghttp2-client"):
        Tools({"PATH": ""}).need("h2load")
