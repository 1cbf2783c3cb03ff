"""Out of the store: to a folder, an archive, an engine. The engine here is a script that keeps what it was given."""

import json
import sys
from pathlib import Path

import pytest
from tests.unit.oci.making import put_image

from dayfly.client.image.delivery import deliver, load
from dayfly.model.errors import BuildFailed, ConfigError, NotSupported
from dayfly.oci.archive import take_in
from dayfly.oci.assemble import join
from dayfly.oci.layout import Layout
from dayfly.oci.platform import this_machine

ENGINE = f"""#!{sys.executable}
import os, shutil, sys
if sys.argv[1] == "load":
    shutil.copyfileobj(sys.stdin.buffer, open(__file__ + ".tar", "wb"))
    sys.exit("no space left" if os.path.exists(__file__ + ".full") else 0)
"""
NAME = "registry.example.com/hello:1"


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "store")


def test_a_folder_gets_what_was_built_and_keeps_what_it_has(store: Layout, tmp_path: Path) -> None:
    one, two = put_image(store, b"1", name=""), put_image(store, b"2", name="")
    deliver(store, {NAME: one}, tmp_path / "out")
    deliver(store, {"other": two}, tmp_path / "out")
    assert set(Layout.open(tmp_path / "out").names()) == {NAME, "other"}
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ConfigError, match="no image layout"):
        deliver(store, {NAME: one}, tmp_path / "full")


def test_an_archive_gets_all_of_them(store: Layout, tmp_path: Path) -> None:
    images = {NAME: put_image(store, b"1", name=""), "other": put_image(store, b"2", name="")}
    deliver(store, images, tmp_path / "out.tar")
    other = Layout.create(tmp_path / "other")
    take_in(tmp_path / "out.tar", other)
    assert {name: entry.bare for name, entry in other.names().items()} == images
    with pytest.raises(ConfigError, match="cannot be written"):
        deliver(store, images, tmp_path / "nowhere" / "out.tar")


def test_an_engine_gets_the_image_of_its_platform_under_its_name(
    store: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = this_machine().architecture
    there = "arm64" if here == "amd64" else "amd64"
    images = [put_image(store, b"1", architecture=each, name="") for each in (there, here)]
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(NotSupported, match="neither answers"):
        load(store, NAME, join(store, images))
    (folder / "podman").write_text(ENGINE)
    (folder / "podman").chmod(0o755)
    assert load(store, NAME, join(store, images)) == "podman"
    other = Layout.create(tmp_path / "other")
    take_in(folder / "podman.tar", other)
    assert other.find(NAME).digest == images[1].digest
    assert json.loads((other.folder / "index.json").read_text())["manifests"][0]["size"]
    (folder / "podman.full").touch()
    with pytest.raises(BuildFailed, match="no space left"):
        load(store, NAME, images[1])
