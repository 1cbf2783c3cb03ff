"""The key file: what is believed, what is refused without showing it, and that it is replaced as a whole."""

import base64
import os
import stat
from pathlib import Path

import pytest

from dayfly.model.errors import SecretsLocked, StoreUnavailable
from dayfly.storage.secrets.envelopes import Key
from dayfly.storage.secrets.key_file import KeyFile


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "etc" / "dayfly" / "a.key", tmp_path / "state.db")


def fingerprints(keys: list[Key]) -> list[str]:
    return [key.fingerprint for key in keys]


def test_keys_come_back_in_their_order(file: KeyFile, tmp_path: Path) -> None:
    assert file.read() == []
    keys = [Key.new(), Key.new()]
    for wanted in (keys, keys[:1], keys[::-1]):
        file.write(wanted)
        assert fingerprints(file.read()) == fingerprints(wanted)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert os.listdir(file.path.parent) == ["a.key"]
    assert str(tmp_path / "state.db") in file.path.read_text()


def test_a_file_written_by_hand_is_read_and_so_is_a_link_to_it(tmp_path: Path) -> None:
    key = Key.new()
    given = tmp_path / "given"
    given.write_bytes(b"\n  # from the vault\n" + base64.b64encode(key.data) + b"  \r\n\n")
    given.chmod(0o400)
    (tmp_path / "link").symlink_to(given)
    assert fingerprints(KeyFile(tmp_path / "link", tmp_path).read()) == [key.fingerprint]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no key"),
        (b"# only a comment\n", "holds no key"),
        (b"canary canary\n", "line 1 .* is no key"),
        (b"# x\n" + base64.b64encode(b"canary" * 5) + b"\n", "line 2 .* is no key"),
        (base64.b64encode(b"c" * 32) + b"canary\n", "line 1 .* is no key"),
    ],
)
def test_what_is_no_key_file_is_refused_without_showing_it(file: KeyFile, content: bytes, says: str) -> None:
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(content)
    file.path.chmod(0o600)
    with pytest.raises(SecretsLocked, match=says) as refused:
        file.read()
    assert "canary" not in f"{refused.value} {refused.value.hint}"
    assert base64.b64encode(b"canary" * 5).decode() not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602])
def test_a_file_that_others_can_read_is_not_believed(file: KeyFile, mode: int) -> None:
    file.write([Key.new()])
    file.path.chmod(mode)
    with pytest.raises(SecretsLocked, match="read by other accounts") as refused:
        file.read()
    assert refused.value.hint == f"chmod 600 {file.path}"


def test_a_folder_or_a_pipe_is_not_believed(file: KeyFile) -> None:
    file.path.mkdir(parents=True, mode=0o700)
    with pytest.raises(SecretsLocked, match="not a file of this account"):
        file.read()
    file.path.rmdir()
    os.mkfifo(file.path, 0o600)
    with pytest.raises(SecretsLocked, match="not a file of this account"):
        file.read()


def test_what_a_life_that_was_killed_left_goes_and_an_editors_file_stays(file: KeyFile) -> None:
    file.write([Key.new()])
    for name in (".a.key.0123abcd", ".a.key.swp", "a.key.0123abcd"):
        (file.path.parent / name).touch()
    file.read()
    assert sorted(os.listdir(file.path.parent)) == [".a.key.swp", "a.key", "a.key.0123abcd"]


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(
    file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Key.new()
    file.write([key])

    def fail(_fd: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreUnavailable, match="could not be written") as refused:
        file.write([Key.new()])
    assert "openssl rand -base64 32" in refused.value.hint
    monkeypatch.undo()
    assert fingerprints(file.read()) == [key.fingerprint]
    assert os.listdir(file.path.parent) == ["a.key"]
