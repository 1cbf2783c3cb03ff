"""What a machine cannot test is said before, and in CI the page and the history go by no test unjudged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent.parent.parent / "scripts/left_out.py"
JUDGES = ("/usr/bin/chromium", "npm", "prometheus", "prometheus-alertmanager", "promtool")


def told(folder: Path, *there: str, ci: str) -> "subprocess.CompletedProcess[str]":
    """Run it where of the programs only these are there."""
    known = f"import runpy, shutil; shutil.which = lambda name, **_: name in {there!r} or None; "
    code = known + f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    environ = os.environ | {"CI": ci}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, cwd=folder)


@pytest.mark.parametrize("missed", JUDGES)
def test_without_what_the_page_and_the_history_are_judged_by_ci_fails(missed: str, tmp_path: Path) -> None:
    there = [each for each in JUDGES if each != missed]
    assert told(tmp_path, *there, ci="true").returncode == 1
    elsewhere = told(tmp_path, *there, ci="")
    assert elsewhere.returncode == 0
    lines = set(elsewhere.stdout.splitlines()) - set(told(tmp_path, *JUDGES, ci="").stdout.splitlines())
    assert len(lines) == 1


def test_with_all_of_it_ci_goes_on(tmp_path: Path) -> None:
    assert told(tmp_path, *JUDGES, ci="true").returncode == 0
