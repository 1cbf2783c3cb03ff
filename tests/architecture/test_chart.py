"""The Helm chart and the page on permissions say what the code says; here, as many changes elsewhere change both."""

from pathlib import Path

from dayfly.cluster.kinds import OURS
from dayfly.server.cluster.install import chart, permissions

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / chart.FOLDER


def test_the_committed_chart_is_what_the_generator_writes() -> None:
    there = {str(path.relative_to(CHART)): path.read_text() for path in CHART.rglob("*") if path.is_file()}
    hint = "run: python -m dayfly.server.cluster.install.chart"
    assert sorted(there) == sorted(chart.files()), hint
    assert [name for name, text in chart.files().items() if there[name] != text] == [], hint


def test_every_right_and_its_reason_are_on_the_page() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    rows = permissions.rows(sorted(kind.plural for kind in OURS))
    assert len(rows) > 15
    assert [row for row in rows if row not in page] == []
