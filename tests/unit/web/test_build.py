"""The console as it is served is what its source builds, byte for byte, and the source is typed throughout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent.parent
UI = ROOT / "ui"
BUILT = ROOT / "src/dayfly/web/static"
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")
DEADLINE_S = 240

pytestmark = pytest.mark.timeout(3 * DEADLINE_S)


def test_what_is_served_is_what_the_source_builds(tmp_path: Path) -> None:
    folder = installed(tmp_path / "ui")
    assert run(folder, "node_modules/.bin/vite", "build", "--logLevel", "warn", out=tmp_path / "out").returncode == 0
    fresh, kept = contents(tmp_path / "out"), contents(BUILT)
    changed = sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))
    assert changed == [], "run `make ui`, and commit what it builds"
    checked = run(folder, "node_modules/.bin/svelte-check", "--fail-on-warnings")
    assert checked.returncode == 0, checked.stdout[-4000:]


def installed(folder: Path) -> Path:
    """Return a copy of the source with its tools beside it; skip where those cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not on PATH: apt-get install nodejs npm")
    version = run(ROOT, "node", "--version").stdout.strip()
    if tuple(map(int, version.lstrip("v").split(".")[:2])) < (20, 19):
        pytest.skip(f"the console is built by Node 20.19 or later, and this is {version}")
    shutil.copytree(UI, folder, ignore=shutil.ignore_patterns("node_modules"))
    done = run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    if done.returncode and any(word in done.stderr for word in UNREACHABLE):
        pytest.skip("npm reaches no registry, so that the console cannot be built again")
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def run(folder: Path, *command: str, out: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | ({"DAYFLY_UI_OUT": str(out)} if out else {})
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
