"""Builds that are kept: found again, found out when damaged, and not kept for ever."""

import contextlib
import os
import threading
from pathlib import Path

import pytest

from dayfly.client import build_cache
from dayfly.client.build_cache import BuildCache, default_cache_dir, key_of
from dayfly.client.bundle import Bundle, pack
from dayfly.client.template_file import Recipe, Template
from dayfly.model.errors import ConfigError

KEY = "ab" * 32
MINE = Template(name="mine", folder=Path(), runtime="http", recipe=Recipe(steps=(("cc",),)))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "handler").write_text("program")
    return pack(tmp_path / "code")


def test_what_was_kept_is_found_by_its_key(tmp_path: Path, bundle: Bundle) -> None:
    cache = BuildCache(tmp_path)
    assert cache.find(KEY) is None
    cache.keep(KEY, bundle)
    assert BuildCache(tmp_path).find(KEY) == bundle
    assert cache.find("cd" * 32) is None


def test_what_was_damaged_is_not_used_and_goes(tmp_path: Path, bundle: Bundle) -> None:
    cache = BuildCache(tmp_path)
    cache.keep(KEY, bundle)
    (path,) = (tmp_path / "builds").glob("*.tar.gz")
    path.write_bytes(bundle.data[:-1])
    assert cache.find(KEY) is None
    assert not path.exists()


def test_the_ones_used_last_are_kept(tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_cache, "KEPT", 2)
    cache = BuildCache(tmp_path)
    keys = [f"{number:064x}" for number in range(3)]
    for number, key in enumerate(keys[:2]):
        cache.keep(key, bundle)
        (path,) = (tmp_path / "builds").glob(f"{key}*")
        os.utime(path, (number, number))
    assert cache.find(keys[0]) == bundle
    cache.keep(keys[2], bundle)
    assert [cache.find(key) is not None for key in keys] == [True, False, True]


def test_a_place_is_the_same_each_time_clean_and_left_clean(tmp_path: Path) -> None:
    cache, handler = BuildCache(tmp_path), tmp_path / "hello"
    handler.mkdir()
    with cache.place(handler) as first:
        (first / "sub").mkdir(parents=True)
        (first / "sub" / "file").touch()
        (first / "sub").chmod(0o500)
    assert not first.exists()
    with contextlib.suppress(RuntimeError), cache.place(tmp_path / "hello" / ".." / "hello") as second:
        second.mkdir()
        raise RuntimeError
    assert (second, second.exists()) == (first, False)
    with cache.place(tmp_path) as other:
        assert other != first
    assert list((tmp_path / "builds").iterdir()) == []


def test_a_place_is_given_to_one_at_a_time(tmp_path: Path) -> None:
    cache, order = BuildCache(tmp_path), []
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with cache.place(tmp_path):
            entered.set()
            leave.wait(60)
            order.append("first")

    def second() -> None:
        with BuildCache(tmp_path).place(tmp_path):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    entered.wait(60)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(60)
    assert order == ["first", "second"]


def test_a_folder_that_others_can_write_to_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds").chmod(0o777)
    with pytest.raises(ConfigError, match="others can write"):
        BuildCache(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be used"):
        BuildCache(tmp_path / "file")


def test_the_folder_is_where_caches_go() -> None:
    assert default_cache_dir({"XDG_CACHE_HOME": "/cache", "HOME": "/home/me"}) == Path("/cache/dayfly")
    assert default_cache_dir({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}) == Path("/home/me/.cache/dayfly")


def test_the_key_tells_all_that_a_build_is_made_of(tmp_path: Path) -> None:
    import msgspec

    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    file = folder / "sub" / "handler.go"
    file.write_text("one")
    other = msgspec.structs.replace(MINE, recipe=Recipe(steps=(("cc", "-O2"),)))
    keys = [
        key_of(MINE, "cc 1", {"A": "1"}, folder),
        key_of(other, "cc 1", {"A": "1"}, folder),
        key_of(MINE, "cc 2", {"A": "1"}, folder),
        key_of(MINE, "cc 1", {"A": "2"}, folder),
    ]
    file.chmod(0o755)
    keys.append(key_of(MINE, "cc 1", {"A": "1"}, folder))
    file.write_text("two")
    keys.append(key_of(MINE, "cc 1", {"A": "1"}, folder))
    file.rename(folder / "sub" / "other.go")
    keys.append(key_of(MINE, "cc 1", {"A": "1"}, folder))
    assert len(set(keys)) == len(keys)
    assert key_of(MINE, "cc 1", {"A": "1"}, folder) == keys[-1]
