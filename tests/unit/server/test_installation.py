"""The name of an installation: made once, kept, and never guessed."""

import stat
from pathlib import Path

import pytest

from dayfly.model.errors import ConfigError
from dayfly.server.installation import installation_of


def test_it_is_made_once_for_a_folder(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    name = installation_of(first)
    assert len(name) == 12
    assert installation_of(first) == name
    assert installation_of(second) != name
    assert stat.S_IMODE((first / "installation").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"x" * 12, b"0123456789abcdef", b"\xff"])
def test_a_damaged_one_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "installation").write_bytes(content)
    with pytest.raises(ConfigError, match="installation"):
        installation_of(tmp_path)
