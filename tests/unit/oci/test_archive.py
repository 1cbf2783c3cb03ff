"""Archives: the same images in one file, for us and for others; and other tools' archives, believed in nothing."""

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.unit.oci.making import NAME, config_of, put_image, saved, sha256, tar_of

from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.oci.archive import take_in, write_out
from dayfly.oci.image import load
from dayfly.oci.layout import Layout

LAYER = tar_of({"hello.txt": b"hello"})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "images")


def written(layout: Layout, name: str = NAME) -> bytes:
    out = io.BytesIO()
    write_out(layout, [layout.find(name)], out)
    return out.getvalue()


def oracle(program: str, *arguments: str) -> Any:
    if not shutil.which(program):
        pytest.skip(f"there is no {program}; scripts/setup.sh installs it where it can")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_written_is_taken_in_again(layout: Layout, tmp_path: Path) -> None:
    image = put_image(layout, LAYER, b"second", Env=["A=1"])
    put_image(layout, b"another", name="other")
    path = tmp_path / "one.tar"
    path.write_bytes(written(layout))
    assert written(layout) == path.read_bytes()
    other = Layout.create(tmp_path / "other")
    assert [each.bare for each in take_in(path, other)] == [image]
    assert load(other, other.find(NAME)).config.run.environment == {"A": "1"}
    assert set(other.names()) == {NAME}
    assert len(list((other.folder / "blobs/sha256").iterdir())) == 4


def test_others_read_it_as_an_archive_of_either_kind(layout: Layout, tmp_path: Path) -> None:
    image = put_image(layout, LAYER, Labels={"who": "me"})
    path = tmp_path / "one.tar"
    path.write_bytes(written(layout))
    told = json.loads(oracle("skopeo", "inspect", f"oci-archive:{path}:{NAME}"))
    assert (told["Digest"], told["Labels"]) == (image.digest, {"who": "me"})
    assert json.loads(oracle("skopeo", "inspect", f"docker-archive:{path}:{NAME}"))["Labels"] == {"who": "me"}
    assert json.loads(oracle("skopeo", "inspect", f"oci:{layout.folder}:{NAME}"))["Digest"] == image.digest


def test_what_others_write_is_taken_in(layout: Layout, tmp_path: Path) -> None:
    image = put_image(layout, LAYER)
    source = f"oci:{layout.folder}:{NAME}"
    oracle("skopeo", "copy", source, f"docker-archive:{tmp_path}/docker.tar:team/hello:2")
    oracle("skopeo", "copy", source, f"oci-archive:{tmp_path}/oci.tar:three")
    other = Layout.create(tmp_path / "other")
    for name in ("docker.tar", "oci.tar"):
        take_in(tmp_path / name, other)
    assert set(other.names()) == {"docker.io/team/hello:2", "three"}
    assert other.find("three").digest == image.digest
    docker = load(other, other.find("docker.io/team/hello:2"))
    assert docker.config.rootfs.diff_ids == [sha256(LAYER)]
    with other.open_blob(docker.manifest.layers[0]) as file:
        assert file.read() == LAYER
    oracle("skopeo", "copy", f"oci:{other.folder}:docker.io/team/hello:2", f"dir:{tmp_path}/again")


def test_what_docker_saves_is_taken_in_under_all_its_names(layout: Layout, tmp_path: Path) -> None:
    path = tmp_path / "saved.tar"
    config = config_of(LAYER, LAYER)
    files = {"c.json": config, "1/layer.tar": LAYER}
    items: list[dict[str, Any]] = [
        {"Config": "c.json", "RepoTags": ["a:1", "b/c:2"], "Layers": ["1/layer.tar", "2/layer.tar"]}
    ]
    path.write_bytes(saved(files, items))
    with tarfile.open(path, mode="a") as tar:
        link = tarfile.TarInfo("2/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../1/layer.tar"
        tar.addfile(link)
    (image,) = take_in(path, layout)
    assert set(layout.names()) == {"docker.io/library/a:1", "docker.io/b/c:2"}
    assert load(layout, image).config.rootfs.diff_ids == [sha256(LAYER)] * 2
    items[0]["RepoTags"] = None
    path.write_bytes(saved({**files, "2/layer.tar": LAYER}, items))
    other = Layout.create(tmp_path / "nameless")
    (image,) = take_in(path, other)
    assert other.find().digest == image.digest


@pytest.mark.parametrize(
    ("files", "items", "why"),
    [
        ({"c": config_of(b"other"), "l": LAYER}, [{"Config": "c", "Layers": ["l"]}], "not the layer"),
        ({"c": config_of(LAYER), "l": LAYER}, [{"Config": "c", "Layers": []}], "another number"),
        ({"c": config_of(LAYER)}, [{"Config": "c", "Layers": ["../../etc/passwd"]}], "has no file"),
        ({"c": config_of(LAYER)}, [{"Config": "/etc/passwd", "Layers": ["l"]}], "has no file"),
        ({"c": config_of(LAYER), "l": b"\x1f\x8b nonsense"}, [{"Config": "c", "Layers": ["l"]}], "damaged"),
        ({"c": b"{}"}, [{"Config": "c", "Layers": []}], "damaged"),
        ({}, [{"Config": 1}], "damaged"),
    ],
)
def test_a_saved_archive_that_lies_is_refused(
    layout: Layout, tmp_path: Path, files: dict[str, bytes], items: list[dict[str, Any]], why: str
) -> None:
    path = tmp_path / "saved.tar"
    path.write_bytes(saved(files, items))
    with pytest.raises(InvalidRequest, match=why):
        take_in(path, layout)
    assert not layout.names()


def test_an_archive_of_a_layout_that_lies_is_refused(layout: Layout, tmp_path: Path) -> None:
    path = tmp_path / "lies.tar"
    path.write_bytes(tar_of({"index.json": b'{"schemaVersion":2,"manifests":[]}', "blobs/sha256/" + "a" * 64: b"x"}))
    with pytest.raises(InvalidRequest, match="was expected"):
        take_in(path, layout)
    entry = {"mediaType": "application/json", "digest": "sha256:" + "b" * 64, "size": 3}
    path.write_bytes(tar_of({"index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()}))
    with pytest.raises(NotFound, match="does not hold"):
        take_in(path, layout)


@pytest.mark.parametrize("content", [b"", b"no tar at all", tar_of({"a": b"1"}), tar_of({"a": b"1" * 2000})[:1000]])
def test_what_is_no_archive_of_images_is_said_to_be_none(layout: Layout, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.tar"
    path.write_bytes(content)
    with pytest.raises(InvalidRequest):
        take_in(path, layout)
    with pytest.raises(NotFound):
        take_in(tmp_path / "missing.tar", layout)
