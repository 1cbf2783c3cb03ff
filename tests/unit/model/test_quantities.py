import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import format_duration, format_memory, parse_cpu, parse_duration, parse_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [("128Mi", 128 * 2**20), ("1G", 10**9), ("1.5Gi", 3 * 2**29), ("1048576", 2**20), ("5k", 5000), ("1Ki", 1024)],
)
def test_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0Mi", "-1", "1e3", "1 Mi", "Mi", "1mi", "１Mi", "1Mi\n", "9" * 19, "999999Ti9"]
)
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        parse_memory(text)


@pytest.mark.parametrize(("text", "millicores"), [("250m", 250), ("0.5", 500), ("2", 2000), ("0.001", 1)])
def test_cpu(text: str, millicores: int) -> None:
    assert parse_cpu(text) == millicores


@pytest.mark.parametrize("text", ["", "0", "0m", "0.5m", "m", "-1", "1.0001", "2 ", "1e1"])
def test_what_is_no_cpu_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        parse_cpu(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m30s", 90.0), ("500ms", 0.5), ("2h", 7200.0), ("90", 90.0), ("1.5h", 5400.0), ("0s", 0.0), ("0", 0.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "1x", "1m 30s", "-5s", "1m30", "٣s", "5s\n", "1..5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_reads_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=0.0006)


@given(st.text(alphabet="0123456789.kMGTKimhs \n", max_size=24))
def test_text_is_either_a_quantity_or_refused(text: str) -> None:
    for parse in (parse_memory, parse_cpu, parse_duration):
        with contextlib.suppress(InvalidSpec):
            assert parse(text) >= 0


def test_memory_for_people() -> None:
    assert [format_memory(n) for n in (0, 512, 2048, 128 * 2**20)] == ["0", "512", "2Ki", "128Mi"]
