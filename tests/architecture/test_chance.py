"""A run of the tests says the same of the same code: no example is of chance, and none is timed."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

TESTS = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif("DAYFLY_TEST_SEARCH" in os.environ, reason="this run looks for examples of chance")


def test_examples_are_the_same_each_time_and_not_timed() -> None:
    assert settings.default is not None
    assert (settings.default.derandomize, settings.default.deadline, settings.default.database) == (True, None, None)
    assert HealthCheck.too_slow in settings.default.suppress_health_check


def test_a_module_that_is_loaded_changes_no_example() -> None:
    drawn: list[int] = []

    @given(st.integers())
    def draw(number: int) -> None:
        drawn.append(number)

    draw()
    assert drawn
    assert not [*providers._get_local_constants()]


def test_no_test_has_chance_or_a_clock_of_its_own() -> None:
    found = [
        f"{path.relative_to(TESTS)}: {line.strip()}"
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if re.search(r"derandomize=False|deadline=(?!None)[a-z_.]*delta|load_profile", line)
        or ("suppress_health_check" in line and "too_slow" not in line)
    ]
    assert found == []
