"""`dayfly report`: what is asked of the gateway, what is printed or written, and what is refused unasked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Answers

from dayfly.model.report import ReportSpec, ReportStatus

Run = Callable[..., Any]
AT_MS, AT = 1_700_000_000_000, "2023-11-14T22:13:20Z"


@pytest.fixture
def watch(platform: Any) -> Answers:
    """The platform's reports."""
    return platform.watch  # type: ignore[no-any-return] # it has one


def a_report(next_unix_ms: int = AT_MS, **fields: Any) -> ReportStatus:
    """Return how a report does."""
    spec = ReportSpec(**{"name": "weekly", "every": "week", "receivers": ("ops", "boss"), **fields})
    return ReportStatus(report=spec, created_unix_ms=AT_MS, updated_unix_ms=AT_MS, next_unix_ms=next_unix_ms)


def test_a_report_is_created_with_all_that_was_said(dayfly: Run, watch: Answers) -> None:
    watch.table["PUT /v1/reports/bill"] = a_report()
    outcome = dayfly(
        "report", "create", "bill", "--every", "month", "--at", "06:30", "--zone", "Europe/Paris", "--receiver", "ops",
        "--receiver", "boss", "-n", "team",
    )  # fmt: skip
    assert outcome.stdout == f"Report created: bill, next on {AT}\n"
    assert watch.asked == ["PUT /v1/reports/bill?namespace=team"]
    assert watch.bodies == [
        {
            "name": "bill", "namespace": "team", "every": "month", "at": "06:30", "zone": "Europe/Paris",
            "receivers": ["ops", "boss"],
        }
    ]  # fmt: skip
    watch.table["PUT /v1/reports/bill"] = a_report(0)
    assert dayfly("report", "create", "bill", "--every", "day", "--paused").stdout == "Report created: bill, paused\n"
    assert (watch.bodies[1]["every"], watch.bodies[1]["paused"]) == ("day", True)


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("weekly", "--every", "week", "--at", "25:00"), 64, "at: '25:00' must be a time"),
        (("weekly", "--every", "week", "--zone", "Mid Europe"), 64, "zone: "),
        (("weekly", "--every", "year"), 2, "--every"),
        (("Weekly!", "--every", "week"), 64, "'Weekly!'"),
    ],
)
def test_a_report_that_cannot_be_sent_is_refused_unasked(
    dayfly: Run, watch: Answers, words: tuple[str, ...], code: int, why: str
) -> None:
    outcome = dayfly("report", "create", *words)
    assert (outcome.exit_code, why in outcome.stderr) == (code, True), outcome.stderr
    assert watch.asked == []


def test_reports_are_listed_described_and_removed(dayfly: Run, watch: Answers) -> None:
    watch.table |= {
        "GET /v1/reports": [a_report(), a_report(0, name="own", namespace="team", receivers=())],
        "GET /v1/reports/weekly": a_report(), "DELETE /v1/reports/weekly": None,
    }  # fmt: skip
    lines = dayfly("report", "list").stdout.splitlines()
    rows = [[field.strip() for field in line.split("\t")] for line in lines]
    assert rows == [
        ["NAME", "NAMESPACE", "EVERY", "NEXT", "RECEIVERS", "TROUBLE"],
        ["weekly", "-", "week", AT, "ops,boss", "-"],
        ["own", "team", "week", "paused", "-", "-"],
    ]
    told = dict(line.split(":", 1) for line in dayfly("report", "describe", "weekly").stdout.splitlines())
    assert {name: told[name].strip() for name in ("Namespace", "Every", "Receivers", "Last Sent")} == {
        "Namespace": "<all>", "Every": "week, at 07:00 in UTC", "Receivers": "ops, boss", "Last Sent": "<none>",
    }  # fmt: skip
    assert json.loads(dayfly("report", "describe", "weekly", "-o", "json").stdout)["next_unix_ms"] == AT_MS
    assert dayfly("report", "remove", "weekly").stdout == "Report removed: weekly\n"
    assert dayfly("report", "describe", "gone").exit_code == 66
    watch.table["GET /v1/reports"] = []
    assert dayfly("report", "list").stdout == "No reports.\n"


def test_a_report_is_shown_as_text_or_written_as_its_files_name_says(dayfly: Run, watch: Answers, home: Path) -> None:
    watch.table["GET /v1/reports/weekly/preview"] = "3 calls, déjà vu\n".encode()
    assert dayfly("report", "show", "weekly").stdout == "3 calls, déjà vu\n"
    watch.table["GET /v1/reports/weekly/preview"] = b"\x00\xff any bytes"
    for name, form in (("a.pdf", "pdf"), ("a.HTML", "html"), ("a.htm", "html"), ("a.txt", "text")):
        assert dayfly("report", "show", "weekly", "-o", name, "-n", "team").stdout == f"Report written: {name}\n"
        assert watch.asked[-1] == f"GET /v1/reports/weekly/preview?format={form}&namespace=team"
        assert (home / name).read_bytes() == b"\x00\xff any bytes"
    asked = len(watch.asked)
    refused = dayfly("report", "show", "weekly", "-o", "a.docx")
    assert (refused.exit_code, "must end with .pdf, .html or .txt" in refused.stderr) == (64, True)
    assert len(watch.asked) == asked
    assert dayfly("report", "show", "gone", "-o", "gone.pdf").exit_code == 66
    assert not (home / "gone.pdf").exists()
    nowhere = dayfly("report", "show", "weekly", "-o", "nowhere/a.pdf")
    assert (nowhere.exit_code, "nowhere/a.pdf cannot be written" in nowhere.stderr) == (78, True)


def test_a_report_is_sent_and_said_to_whom(dayfly: Run, watch: Answers) -> None:
    watch.table["POST /v1/reports/weekly/send"] = {"receivers": ["ops", "boss"]}
    assert dayfly("report", "send", "weekly").stdout == "Report sent: weekly, to ops, boss\n"
    assert watch.asked == ["POST /v1/reports/weekly/send"]
