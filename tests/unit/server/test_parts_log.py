"""What the parts said is kept in files that do not grow for ever."""

from pathlib import Path

from dayfly.server.parts_log import BEFORE, FILE, PartsLog


def test_the_newest_lines_are_kept_in_two_files_of_bounded_size(tmp_path: Path) -> None:
    kept = PartsLog(tmp_path, most_bytes=100)
    for number in range(50):
        kept.keep(f"line {number:03}")
    lines = [*(tmp_path / BEFORE).read_text().splitlines(), *(tmp_path / FILE).read_text().splitlines()]
    assert lines == [f"line {number:03}" for number in range(50 - len(lines), 50)]
    assert len(lines) > 10
    for name in (FILE, BEFORE):
        assert (tmp_path / name).stat().st_size <= 100
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_another_life_goes_on_where_the_one_before_ended(tmp_path: Path) -> None:
    PartsLog(tmp_path).keep("one")
    PartsLog(tmp_path).keep("two")
    assert (tmp_path / FILE).read_text() == "one\ntwo\n"


def test_where_nothing_can_be_kept_it_goes_on(tmp_path: Path) -> None:
    kept = PartsLog(tmp_path / "none")
    kept.keep("lost")
    (tmp_path / "none").mkdir()
    kept.keep("kept")
    assert (tmp_path / "none" / FILE).read_text() == "kept\n"
