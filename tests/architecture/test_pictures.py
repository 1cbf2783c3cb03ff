"""Every picture that the documentation shows is there, and is taken by one test; no other is kept."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OF_ANOTHER = {"grafana"}
"""Pictures of a program that is not there in every run of the tests: docs/history.md says how it is tried."""


def test_pictures_of_the_page_are_those_that_tests_take() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"\]\((?:docs/)?page/([a-z-]+)\.png\)", page.read_text())}
    sources = "".join(path.read_text() for path in (ROOT / "tests/system").glob("test_page*.py"))
    calls = re.findall(r"\bshot\((.+)\)", sources)
    taken = Counter(name for call in calls for name in re.findall(r'"([a-z-]+)"', call))
    assert len(shown) > 25
    assert {path.stem for path in (ROOT / "docs/page").iterdir()} == shown
    assert set(taken) == shown - OF_ANOTHER
    assert [name for name, times in taken.items() if times > 1] == []
