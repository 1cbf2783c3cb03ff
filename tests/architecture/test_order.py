"""The order in which the tests run, and which files one process has, name what there is."""

import pytest
from tests.conftest import LONGEST, TOGETHER, unit_of
from tests.system.driver import ROOT

FILES = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("name", LONGEST)
def test_what_comes_first_is_there(name: str) -> None:
    assert f"tests/{name}" in FILES
    assert LONGEST.count(name) == 1


@pytest.mark.parametrize("group", TOGETHER)
def test_files_that_share_a_server_go_to_one_process_and_no_other_with_them(group: tuple[str, ...]) -> None:
    together = {file for file in FILES if unit_of(file) == group[0]}
    assert together == {file for file in FILES if file.startswith(group)}
    assert all(any(file.startswith(each) for file in together) for each in group)
    assert len(together) > 1


def test_every_other_file_is_given_alone() -> None:
    assert unit_of("tests/system/test_start.py") == "tests/system/test_start.py"
