"""`dayfly query`: which form an answer has, what is shown of it, and what is told before anything is asked."""

from collections.abc import Callable
from typing import Any

import pytest

from dayfly.cli.query_output import Form, _text, form_of
from dayfly.model.errors import InvalidRequest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("output", "file", "limit", "form"),
    [
        (None, "", None, Form("table", "", 0, False)),
        ("csv", "", 5, Form("csv", "", 5, False)),
        (None, "x.xlsx", None, Form("xlsx", "x.xlsx", 0, False)),
        (None, "X.PARQUET", None, Form("parquet", "X.PARQUET", 0, False)),
        ("json", "x.csv", None, Form("json", "x.csv", 0, False)),
    ],
)
def test_the_form_is_what_is_said_or_what_the_files_name_says(
    output: str | None, file: str, limit: int | None, form: Form
) -> None:
    assert form_of(output, file, limit, raw=False) == form


@pytest.mark.parametrize(
    ("output", "file", "limit", "raw"),
    [
        (None, "x.txt", None, False),
        ("table", "x.csv", None, False),
        (None, "", 10_001, False),
        ("json", "", None, True),
    ],
)
def test_what_goes_not_together_is_refused(output: str | None, file: str, limit: int | None, raw: bool) -> None:
    with pytest.raises(InvalidRequest):
        form_of(output, file, limit, raw)


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (1.5, "1.5"), (1 / 3, "0.333333"), (7, "7"), ("a\nb\tc", "a b c"), ("x" * 90, "")]
)
def test_a_value_in_a_table_is_one_short_line(value: object, text: str) -> None:
    assert _text(value) == (text or ("x" * 59 + "…" if value else ""))


def test_an_empty_query_and_a_wrong_file_are_told_before_anything_is_asked(dayfly: Run, platform: Any) -> None:
    for arguments in (("",), ("select 1", "--file", "x.txt"), ("select 1", "-o", "xlsx", "--raw")):
        assert dayfly("query", *arguments).exit_code == 64
    assert dayfly("logs").exit_code == 64
    assert dayfly("logs", "--search", "x", "--tail").exit_code == 64
    assert platform.requests == []
    assert "dayfly query run" in dayfly("query", "--help").stdout
