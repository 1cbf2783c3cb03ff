"""Exports as other programs read them back: nothing changed, nothing run, nothing cut without a word."""

import csv
import datetime
import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.model.csv_text import guarded
from dayfly.observe.export.file import BoundedFile, TooLarge
from dayfly.observe.export.forms import open_writer
from dayfly.observe.export.kinds import unique
from dayfly.observe.export.writer import CannotHold

MOST = 10_000_000
TIME = "2026-11-30 12:34:56.789"
ROWS: list[list[Any]] = [
    [1, 1.5, 'a,"b"\r\nü', None, b"\x00\xff", TIME, "mixed"],
    [2, 2, "=1+1", None, None, None, 7],
    [-3, None, "", None, b"", "2026-11-30 00:00:00.000", None],
]
NAMES = ["whole", "real", "text", "empty", "bytes", "time", "mixed"]
VALUES = (
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.binary(max_size=20)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
)  # fmt: skip


def export(folder: Path, form: str, rows: list[list[Any]], names: list[str], *, raw: bool = False) -> Path:
    path = folder / "answer"
    with ExitStack() as stack:
        writer = open_writer(form, path, names, MOST, stack, raw=raw)
        for row in rows:
            writer.row(row)
        writer.end(truncated=False)
    return path


def read_csv(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def test_csv_is_read_back_with_formulas_disarmed(tmp_path: Path) -> None:
    assert read_csv(export(tmp_path, "csv", ROWS, NAMES)) == [
        NAMES,
        ["1", "1.5", 'a,"b"\r\nü', "", "00ff", TIME, "mixed"],
        ["2", "2", "'=1+1", "", "", "", "7"],
        ["-3", "", "", "", "", "2026-11-30 00:00:00.000", ""],
    ]
    assert read_csv(export(tmp_path, "csv", ROWS, ["=x", "b", "c", "d", "e", "f", "g"], raw=True))[2][2] == "=1+1"
    assert read_csv(export(tmp_path, "csv", [], ["=cmd|' /C calc'!A0"])) == [["'=cmd|' /C calc'!A0"]]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_a_text_that_a_spreadsheet_would_run_is_marked(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", "a=1", "1-1", " =1", "'=1"])
def test_any_other_text_stays(text: str) -> None:
    assert guarded(text) == text


@settings(max_examples=60)
@given(rows=st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=8))
def test_csv_and_json_hold_any_value(tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]]) -> None:
    folder = tmp_path_factory.mktemp("export")
    found = read_csv(export(folder, "csv", rows, ["a", "b"]))
    assert len(found) == len(rows) + 1
    for shown, row in zip(found[1:], rows, strict=True):
        for field, value in zip(shown, row, strict=True):
            assert not isinstance(value, str) or field == guarded(value)
            assert not isinstance(value, str) or not field.startswith(("=", "+", "-", "@"))
    wanted = [{"a": plain(row[0]), "b": plain(row[1])} for row in rows]
    assert json.loads(export(folder, "json", rows, ["a", "b"]).read_bytes()) == wanted
    lines = export(folder, "ndjson", rows, ["a", "b"]).read_bytes().decode().split("\n")
    assert [json.loads(line) for line in lines if line] == wanted


def plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and value in (float("inf"), float("-inf")) else value


def test_columns_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    assert unique(["a", "a", "a_2", "a"]) == ["a", "a_2", "a_2_2", "a_3"]
    path = export(tmp_path, "json", [[1, 2]], ["count(*)", "count(*)"])
    assert json.loads(path.read_bytes()) == [{"count(*)": 1, "count(*)_2": 2}]


def test_an_answer_says_what_its_columns_are(tmp_path: Path) -> None:
    answer = json.loads(export(tmp_path, "answer", ROWS, NAMES).read_bytes())
    assert [column["type"] for column in answer["columns"]] == [
        "integer", "real", "text", "null", "blob", "text", "mixed",
    ]  # fmt: skip
    assert answer["rows"][0] == [1, 1.5, 'a,"b"\r\nü', None, "00ff", TIME, "mixed"]
    assert json.loads(export(tmp_path, "answer", [], ["a"]).read_bytes()) == {
        "columns": [{"name": "a", "type": "null"}], "rows": [], "truncated": False,
    }  # fmt: skip


def test_excel_reads_texts_as_texts_and_times_as_dates(tmp_path: Path) -> None:
    rows = [
        ["=1+1", 1, 1.5, TIME, None, "https://example.org", 2**60, float("inf"), b"\xff", "\x01\x0b"],
        ["+1", -2, 0.0, "2026-13-45 00:00:00", "@x", "mailto:a@b", -(2**60), 0, b"", "007"],
    ]  # fmt: skip
    path = export(tmp_path, "xlsx", rows, [f"c{number}" for number in range(10)])
    sheet = openpyxl.load_workbook(io.BytesIO(path.read_bytes())).active
    first, second = ([cell.value for cell in row] for row in list(sheet.iter_rows())[1:])
    assert first[:8] == [
        "=1+1", 1, 1.5, datetime.datetime.fromisoformat(TIME), None, "https://example.org",
        str(2**60), "inf",
    ]  # fmt: skip
    assert first[8] == "ff"
    assert second[:7] == ["+1", -2, 0, "2026-13-45 00:00:00", "@x", "mailto:a@b", str(-(2**60))]
    assert second[9] == "007"
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row), "no formula"
    assert sheet["A1"].hyperlink is None
    assert sheet["F2"].hyperlink is None
    assert sheet.freeze_panes == "A2"


def test_what_excel_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotHold, match="32767"):
        export(tmp_path, "xlsx", [["x" * 32_768]], ["a"])


def test_parquet_has_one_type_a_column(tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(export(tmp_path, "parquet", ROWS, NAMES))
    assert [str(field.type) for field in table.schema] == [
        "int64", "double", "string", "string", "binary", "timestamp[ms, tz=UTC]", "string",
    ]  # fmt: skip
    found = table.to_pydict()
    assert found["whole"] == [1, 2, -3]
    assert found["real"] == [1.5, 2.0, None]
    assert found["text"] == ['a,"b"\r\nü', "=1+1", ""]
    assert found["time"][0] == datetime.datetime(2026, 11, 30, 12, 34, 56, 789000, tzinfo=datetime.UTC)
    assert found["mixed"] == ["mixed", "7", None]
    assert list(tmp_path.iterdir()) == [tmp_path / "answer"]
    assert pyarrow.parquet.read_table(export(tmp_path, "parquet", [], NAMES)).num_rows == 0


@settings(max_examples=40)
@given(rows=st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=6))
def test_parquet_and_excel_hold_any_value(tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]]) -> None:
    folder = tmp_path_factory.mktemp("export")
    assert pyarrow.parquet.read_table(export(folder, "parquet", rows, ["a", "a"])).num_rows == len(rows)
    sheet = openpyxl.load_workbook(io.BytesIO(export(folder, "xlsx", rows, ["a", "a"]).read_bytes())).active
    assert sheet.max_row <= len(rows) + 1, "a row of nothing is none"
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)


def test_a_file_grows_no_further_than_it_may(tmp_path: Path) -> None:
    with BoundedFile(tmp_path / "x", 10) as file:
        file.write(b"12345")
        assert file.fits(5)
        assert not file.fits(6)
        with pytest.raises(TooLarge):
            file.write(b"123456")
        file.write(b"67890")
    assert (tmp_path / "x").read_bytes() == b"1234567890"
