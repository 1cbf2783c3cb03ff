"""Images put together: the same each time, and what two other tools read in them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.oci.making import NAME, about, config_of, put_image, sha256, tar_of

from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.oci.assemble import Start, assemble, copy, join
from dayfly.oci.image import load
from dayfly.oci.layer import Content, write_layer
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import DOCKER_CONFIG, DOCKER_LAYER_GZIP, DOCKER_MANIFEST, OCI_LAYER_GZIP

BASE = tar_of({"etc/base": b"base", "home/app/old": b"old"})
START = Start(
    entrypoint=["python3", "-m", "serve"],
    working_dir="/home/app",
    user="65532:65532",
    env={"B": "ours", "C": "new"},
    labels={"z": "1", "a": "2"},
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "images")


def make(layout: Layout, name: str = NAME) -> str:
    base = put_image(layout, BASE, name="", Env=["A=1", "B=base"], Cmd=["sh"], Labels={"m": "base"}, User="root")
    layers = [
        write_layer(layout, [Content(path="opt/deps/x.py", data=b"x = 1\n")], "dependencies"),
        write_layer(layout, [Content(path="home/app/run", data=b"#!/bin/sh\n", is_executable=True)], "code"),
    ]
    image = assemble(layout, load(layout, base), layers, START, "docker.io/library/base:1")
    layout.name(image, name)
    return image.digest


def test_the_same_parts_are_the_same_image_in_another_layout(layout: Layout, tmp_path: Path) -> None:
    assert make(layout) == make(Layout.create(tmp_path / "another"))


def test_the_base_stays_where_nothing_else_is_said(layout: Layout) -> None:
    make(layout)
    image = load(layout, layout.find(NAME))
    run = image.config.run
    assert run.env == ["A=1", "B=ours", "C=new"]
    assert (run.user, run.entrypoint, run.cmd) == ("65532:65532", ["python3", "-m", "serve"], None)
    assert run.labels == {"a": "2", "m": "base", "z": "1"}
    assert run.exposed_ports == {"8080/tcp": {}}
    assert len(image.manifest.layers) == 3
    assert image.config.rootfs.diff_ids[0] == sha256(BASE)
    assert image.config.created == "1970-01-01T00:00:00Z"


def test_a_base_of_dockers_kind_becomes_one_of_ocis(layout: Layout) -> None:
    base = load(layout, put_image(layout, BASE, name=""))
    layer = {**about(base.manifest.layers[0]), "mediaType": DOCKER_LAYER_GZIP}
    told = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": about(layout.put(config_of(BASE), DOCKER_CONFIG)),
        "layers": [layer],
    }
    docker = load(layout, layout.put(json.dumps(told).encode(), DOCKER_MANIFEST))
    image = load(layout, assemble(layout, docker, [], START))
    assert [each.media_type for each in image.manifest.layers] == [OCI_LAYER_GZIP]


def test_copying_takes_all_of_it_and_checks_it(layout: Layout, tmp_path: Path) -> None:
    make(layout)
    entry = layout.find(NAME)
    other = Layout.create(tmp_path / "another")
    copy(layout, other, entry)
    other.name(entry, "there")
    assert load(other, other.find("there").bare) == load(layout, entry.bare)
    layer = load(layout, entry).manifest.layers[1]
    layout.path(layer).write_bytes(b"x" * layer.size)
    third = Layout.create(tmp_path / "third")
    with pytest.raises(InvalidRequest, match="damaged"):
        copy(layout, third, entry)
    assert not third.has(layer)
    layout.path(layer).unlink()
    with pytest.raises(NotFound):
        copy(layout, third, entry)


def test_an_index_has_one_image_a_platform(layout: Layout) -> None:
    amd, arm = put_image(layout, b"a", name=""), put_image(layout, b"a", architecture="arm64", name="")
    index = json.loads(layout.read(join(layout, [amd, arm])))
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    with pytest.raises(InvalidRequest, match="two images for linux/amd64"):
        join(layout, [amd, amd])


def test_others_read_and_unpack_it(layout: Layout, tmp_path: Path) -> None:
    digest = make(layout, "one")
    if not shutil.which("skopeo") or not shutil.which("umoci"):
        pytest.skip("there is no skopeo or umoci; scripts/setup.sh installs them where it can")
    argv = ["skopeo", "inspect", f"oci:{layout.folder}:one"]
    told = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert (told["Digest"], told["Architecture"], len(told["Layers"])) == (digest, "amd64", 3)
    argv = ["umoci", "unpack", "--rootless", "--image", f"{layout.folder}:one", str(tmp_path / "bundle")]
    subprocess.run(argv, capture_output=True, check=True)
    root = tmp_path / "bundle" / "rootfs"
    assert (root / "opt/deps/x.py").read_text() == "x = 1\n"
    assert (root / "etc/base").read_text() == "base"
    assert (root / "home/app/run").stat().st_mode & 0o777 == 0o755
    process = json.loads((tmp_path / "bundle" / "config.json").read_bytes())["process"]
    assert process["args"] == ["python3", "-m", "serve"]
    assert process["cwd"] == "/home/app"
    assert "B=ours" in process["env"]
