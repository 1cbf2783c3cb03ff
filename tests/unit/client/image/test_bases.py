"""Bases: found wherever they are, known by what is in them, and never taken for another."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.client.image.making import python_base
from tests.unit.oci.making import put_image, tar_of

from dayfly.client.image import probe
from dayfly.client.image.bases import default_base, find_base
from dayfly.client.image.probe import Abilities, abilities
from dayfly.client.image.store import image_store
from dayfly.model.errors import InvalidRequest, InvalidSpec, NotFound, Unavailable
from dayfly.oci.archive import write_out
from dayfly.oci.image import load
from dayfly.oci.layout import Layout
from dayfly.oci.platform import parse_platform, this_machine

HERE = this_machine()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return image_store()


def archive(layout: Layout, *names: str) -> bytes:
    out = io.BytesIO()
    write_out(layout, [layout.find(name) for name in names], out)
    return out.getvalue()


def test_a_layout_with_one_image_needs_no_name(store: Layout, tmp_path: Path) -> None:
    layout = python_base(tmp_path / "base", minor=12)
    found = find_base(str(layout.folder), HERE, store)
    assert (found.abilities.python, found.name) == (12, "")
    put_image(layout, b"another", name="other")
    with pytest.raises(NotFound, match="must be named"):
        find_base(str(layout.folder), HERE, store)
    assert find_base(f"{layout.folder}:base", HERE, store).image == found.image
    assert store.names() == {}, "a base's name in its own layout is no name here"
    with pytest.raises(NotFound, match="has no linux/s390x"):
        find_base(f"{layout.folder}:base", parse_platform("linux/s390x"), store)


def test_an_archive_is_taken_in_once_and_again_when_it_changes(
    store: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = python_base(tmp_path / "base", minor=12, name="registry.example.com/python:1")
    path = tmp_path / "base.tar"
    path.write_bytes(archive(layout, "registry.example.com/python:1"))
    found = find_base(str(path), HERE, store)
    assert "registry.example.com/python:1" not in store.names()
    with monkeypatch.context() as patch:
        patch.setattr("dayfly.client.image.bases.take_in", lambda *_: pytest.fail("it is here already"))
        assert find_base(str(path), HERE, store) == found
    other = python_base(tmp_path / "other", minor=13)
    path.write_bytes(archive(other, "base"))
    os.utime(path, ns=(1, 1))
    assert find_base(str(path), HERE, store).abilities.python == 13
    put_image(layout, b"a second", name="second")
    path.write_bytes(archive(layout, "registry.example.com/python:1", "second"))
    with pytest.raises(InvalidRequest, match="holds 2 images"):
        find_base(str(path), HERE, store)
    assert sorted(each.name for each in store.folder.parent.iterdir()) == ["images", "probes"]


def test_a_reference_that_is_here_is_not_fetched(store: Layout, tmp_path: Path) -> None:
    put_image(store, tar_of({"usr/lib/python3.11/os.py": b""}), name="docker.io/library/python:3.11")
    assert find_base("python:3.11", HERE, store).name == "docker.io/library/python:3.11"
    with pytest.raises(InvalidSpec):
        find_base("no such name", HERE, store)
    for missing in ("./nowhere", "nowhere.tar", str(tmp_path / "nowhere.tar")):
        with pytest.raises(NotFound, match="neither an OCI layout nor an archive"):
            find_base(missing, HERE, store)


def test_a_registry_that_is_away_leaves_other_bases(store: Layout) -> None:
    with pytest.raises(Unavailable, match=r"The base 127\.0\.0\.1:1/python:3 cannot be had") as caught:
        find_base("127.0.0.1:1/python:3", HERE, store)
    assert "--base" in caught.value.hint


@pytest.mark.parametrize(
    ("runtime", "lang", "args", "expected"),
    [
        ("python", "python3-http", {}, "docker.io/library/python:3.12-slim"),
        ("python", "python", {"PYTHON_VERSION": "3.13"}, "docker.io/library/python:3.13-slim"),
        ("static", "static", {}, "docker.io/library/python:3.12-slim"),
        ("exec", "bash-streaming", {}, "docker.io/library/python:3.12-slim"),
        ("node", "node", {}, "docker.io/library/node:22-slim"),
        ("node", "node20@v1", {}, "docker.io/library/node:20-slim"),
        ("node", "node12", {}, "docker.io/library/node:22-slim"),
    ],
)
def test_a_version_that_is_asked_for_is_the_bases(runtime: str, lang: str, args: dict[str, str], expected: str) -> None:
    assert default_base(runtime, lang, args) == expected


@pytest.mark.parametrize(
    ("files", "run", "expected"),
    [
        ({"usr/lib/python3.11/os.py": b"", "usr/local/lib/python3.9/os.py": b""}, {}, Abilities(9)),
        ({"lib/python3.11/os.py": b""}, {}, Abilities(11)),
        ({"./usr/lib/python3.12/os.py": b"", "lib/ld-musl-x86_64.so.1": b""}, {}, Abilities(12, "musl")),
        ({"usr/lib/python3.9/os.py": b"", "usr/lib/python3.10/os.py": b""}, {}, Abilities(10)),
        ({"usr/lib/python3.11/os.py": b""}, {"Env": ["PYTHON_VERSION=3.13.1"]}, Abilities(13)),
        ({"home/me/lib/python3.11/os.py": b"", "usr/lib/python3.11/site-packages/os.py": b""}, {}, Abilities(0)),
    ],
)
def test_what_a_base_has_is_seen_by_its_files(
    store: Layout, tmp_path: Path, files: dict[str, bytes], run: dict[str, Any], expected: Abilities
) -> None:
    image = load(store, put_image(store, tar_of({"etc/x": b""}), tar_of(files), name="", **run))
    assert abilities(store, image, tmp_path / "probes") == expected


def test_what_was_seen_is_remembered_and_what_was_garbled_is_looked_for_again(
    store: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = load(store, put_image(store, tar_of({"usr/lib/python3.11/os.py": b""}), name=""))
    kept = tmp_path / "probes"
    abilities(store, image, kept)
    with monkeypatch.context() as patch:
        patch.setattr(probe, "_look", lambda *_: pytest.fail("it was looked at before"))
        assert abilities(store, image, kept).python == 11
    (path,) = kept.iterdir()
    path.write_text("{")
    assert abilities(store, image, kept).python == 11
