"""Clearing what function code left in /tmp."""

from pathlib import Path

from dayfly.runtimes.python.scratch import clear


def test_everything_below_goes_and_nothing_a_link_leads_to(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "kept").touch()
    closed = inside / "closed"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    closed.chmod(0)
    deep = inside.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    (inside / "link").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    clear(str(inside))
    assert list(inside.iterdir()) == []
    assert (outside / "kept").is_file()


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    clear(str(tmp_path / "absent"))
