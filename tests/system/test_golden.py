"""Data folders that earlier versions left: this one opens each of them, and everything is there."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.golden.make import PASSWORD
from tests.system.driver import ROOT, Platform

from dayfly.storage import layouts, migrations, steps

GOLDEN = sorted(path for path in (ROOT / "tests" / "golden").iterdir() if (path / "expected.json").is_file())


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.name)
def test_a_data_folder_of_an_earlier_version_is_opened(golden: Path, platform: Platform) -> None:
    expected: dict[str, Any] = json.loads((golden / "expected.json").read_text())
    _restore(golden, platform.data_dir)
    text = platform.start()
    assert "login" not in text
    listed = {each["spec"]["name"]: each for each in json.loads(platform.ok("list", "--output", "json"))}
    assert listed.keys() == expected["functions"].keys()
    for name, wanted in expected["functions"].items():
        assert listed[name]["revision"] == wanted["revision"]
        assert listed[name]["spec"].items() >= wanted["spec"].items()
        assert listed[name]["invocations"] >= expected["invocations"][name]
    for name, body, answer in expected["calls"]:
        assert platform.ok("invoke", name, stdin=body).strip() == answer
    for name, line in expected["logged"].items():
        assert platform.ok("logs", name, "--since", "100000h").count(line) == 2
    platform.login(PASSWORD)
    platform.stop()
    assert layouts.layout_of(platform.data_dir / "state.db") == migrations.newest()
    if expected["layout"] < migrations.newest():
        kept = platform.data_dir / f"state.db.layout-{expected['layout']}"
        assert _rows(kept) == _rows(golden / "state.db")


def test_every_layout_there_ever_was_is_kept_and_none_has_changed() -> None:
    kept = {json.loads((golden / "expected.json").read_text())["layout"] for golden in GOLDEN}
    released = {number for number, step in enumerate(steps.STEPS, start=1) if step.since != _unreleased()}
    assert released <= kept
    for golden in GOLDEN:
        assert sum(path.stat().st_size for path in golden.rglob("*") if path.is_file()) < 200_000


def _restore(golden: Path, data_dir: Path) -> None:
    """Copy the folder with the modes that it had; a repository keeps none but the executable bit."""
    shutil.copytree(golden, data_dir)
    for path in (data_dir, *data_dir.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _unreleased() -> str:
    heading = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ["))
    return heading.partition("[")[2].partition("]")[0] if "unreleased" in heading else ""


def _rows(path: Path) -> list[Any]:
    with sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True) as database:
        rows = database.execute("SELECT * FROM revisions ORDER BY namespace, name, number").fetchall()
    database.close()
    return rows
