"""Layers: the same bytes for the same files, and nothing of who made them in it."""

import gzip
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.oci.making import sha256

from dayfly.model.errors import InvalidRequest
from dayfly.oci.layer import Content, contents_of, write_layer
from dayfly.oci.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "images")


def fill(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o700)
    (folder / "link").symlink_to("a/b.txt")
    return folder


def test_folder_order_time_owner_and_umask_change_nothing(layout: Layout, tmp_path: Path) -> None:
    names = ["a/b.txt", "a-b", "a/ü", "z", "a/" + "long" * 60]
    first = write_layer(layout, contents_of(fill(tmp_path / "one", names), "opt/x"))
    before = os.umask(0o077)
    try:
        other = fill(tmp_path / "elsewhere" / "two", names[::-1])
    finally:
        os.umask(before)
    for path in other.rglob("*"):
        os.utime(path, (1, 2), follow_symlinks=False)
    (other / "__pycache__").mkdir()
    (other / "__pycache__" / "x.pyc").write_bytes(b"another interpreter's")
    if os.geteuid() == 0:
        os.chown(other / "z", 1234, 1234)
    assert write_layer(layout, reversed(list(contents_of(other, "opt/x")))) == first
    (other / "z").chmod(0o755)
    assert write_layer(layout, contents_of(other, "opt/x")) != first


def test_another_process_with_another_seed_and_time_zone_makes_the_same(layout: Layout, tmp_path: Path) -> None:
    source = fill(tmp_path / "one", ["a/b", "c"])
    script = (
        "import sys; from pathlib import Path; from dayfly.oci.layout import Layout;"
        "from dayfly.oci.layer import contents_of, write_layer;"
        "print(write_layer(Layout.create(Path(sys.argv[2])), contents_of(Path(sys.argv[1]), 'x')).descriptor.digest)"
    )
    digests = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        argv = [sys.executable, "-c", script, str(source), str(layout.folder)]
        digests.add(subprocess.run(argv, capture_output=True, text=True, check=True, env=environ).stdout)
    assert len(digests) == 1


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("ab/-.", min_size=1, max_size=8), st.binary(max_size=200), max_size=8), st.randoms())
def test_what_goes_in_comes_out_sorted_and_stripped(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], random: "object"
) -> None:
    layout = Layout.create(tmp_path_factory.getbasetemp() / "layer-layout")
    good = {
        path: data
        for path, data in files.items()
        if all(part not in ("", ".", "..") for part in path.split("/"))
        and not any(other.startswith(f"{path}/") for other in files)
    }
    contents = [Content(path=path, data=data) for path, data in good.items()]
    layer = write_layer(layout, contents)
    random.shuffle(contents)  # type: ignore[attr-defined]
    assert write_layer(layout, contents) == layer
    packed = layout.path(layer.descriptor).read_bytes()
    assert packed[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    data = gzip.decompress(packed)
    assert layer.diff_id == sha256(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
        assert {member.name: tar.extractfile(member).read() for member in members} == good  # type: ignore[union-attr]
    assert [member.name for member in members] == sorted(good, key=lambda path: path.split("/"))
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} <= {(0, 0, 0, "", "", 0o644)}


@pytest.mark.parametrize("path", ["", "/", "..", "a/../b", "./a", "a//b", "a\0b"])
def test_a_path_that_leaves_the_image_is_refused(layout: Layout, path: str) -> None:
    with pytest.raises(InvalidRequest, match="no path inside"):
        write_layer(layout, [Content(path=path, data=b"")])


def test_a_pipe_is_refused(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    os.mkfifo(tmp_path / "odd" / "pipe")
    with pytest.raises(InvalidRequest, match="neither a file"):
        write_layer(layout, contents_of(tmp_path / "odd", "x"))
