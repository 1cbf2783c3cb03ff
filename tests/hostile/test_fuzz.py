"""The coverage-guided fuzz target: it runs, what it once found stays mended, and it would find something."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import parser

ROOT = Path(__file__).resolve().parent.parent.parent
# Much the same bytes each time: neither the hashes of texts nor where they lie in memory decides what is tried next.
SAME = ["-seed=1", "-runs=20000", "-use_cmp=0"]


def test_what_was_found_stays_mended() -> None:
    assert parser.play_findings() == len(list(parser.FINDINGS.glob("*")))


def test_the_checks_find_what_they_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.http1.framing._SIZE", re.compile(rb"(?:0x)?([0-9A-Fa-f]{1,12})(?:;[ -~]*)?"))
    body = b"0x3\r\nabc\r\n0\r\n\r\n"
    with pytest.raises(AssertionError, match="llhttp refuses"):
        parser.check(b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)


@pytest.mark.timeout(120)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python or machine"
)
def test_a_bounded_run_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "60", *SAME],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert re.search(r"stat::number_of_executed_units: +[1-9]", done.stderr), done.stderr[-3_000:]
