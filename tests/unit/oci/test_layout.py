"""Layouts: what is kept is what its digest says, and what is found by name is what was named."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.oci.making import about, blob_file, put_image, sha256, tar_of

from dayfly.model.errors import ConfigError, InvalidRequest, NotFound
from dayfly.oci.image import choose, images, load, reachable
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor, encode
from dayfly.oci.platform import parse_platform


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "images")


def test_a_new_layout_is_one_and_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    Layout.create(folder)
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((folder / "index.json").read_bytes())
    assert index == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    kept = Layout.create(folder).put(b"x", OCI_LAYER)
    assert Layout.create(folder).has(kept)
    with pytest.raises(NotFound, match="no OCI image layout"):
        Layout.open(tmp_path)
    with pytest.raises(ConfigError, match="no image layout"):
        Layout.create(tmp_path)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(InvalidRequest, match="only 1 is known"):
        Layout.open(folder)


def test_who_begins_it_at_the_same_time_has_the_same(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(8)]

    def begin(folder: Path, name: str) -> None:
        layout = Layout.create(folder)
        layout.name(layout.put(b"x", OCI_LAYER), name)

    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            folder = tmp_path / str(number)
            list(pool.map(begin, [folder] * 8, names))
            assert sorted(Layout.open(folder).names()) == names


@settings(deadline=None)
@given(data=st.binary(max_size=3000), step=st.integers(1, 1000))
def test_a_blob_comes_back_however_it_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes, step: int) -> None:
    layout = Layout.create(tmp_path_factory.getbasetemp() / "shared-layout")
    blob = layout.put(data, OCI_LAYER)
    assert (blob.digest, blob.size) == (sha256(data), len(data))
    assert layout.read(blob) == data
    with layout.open_blob(blob) as file:
        assert b"".join(iter(lambda: file.read(step), b"")) == data
    with layout.open_blob(blob) as file:
        assert file.read() == data


@pytest.mark.parametrize("damage", [b"SOME content", b"someother content", b"short", b"some content and more"])
@pytest.mark.parametrize("step", [-1, 1, 12, 1000])
def test_what_is_damaged_is_not_handed_out_whole(layout: Layout, damage: bytes, step: int) -> None:
    blob = layout.put(b"some content", OCI_LAYER)
    blob_file(layout, blob).write_bytes(damage)
    with layout.open_blob(blob) as file, pytest.raises(InvalidRequest, match="damaged"):
        list(iter(lambda: file.read(step), b""))


def test_what_is_not_what_was_expected_leaves_nothing(layout: Layout) -> None:
    before = sorted(layout.folder.rglob("*"))
    expected = Descriptor(media_type=OCI_LAYER, digest=sha256(b"right"), size=5)
    with layout.writer() as writer:
        writer.write(b"wrong")
        with pytest.raises(InvalidRequest, match="was expected"):
            writer.keep(expected)
    with layout.writer() as writer:
        writer.write(b"right, and not kept")
    assert sorted(layout.folder.rglob("*")) == before
    assert not layout.has(expected)
    with pytest.raises(NotFound):
        layout.read(expected)


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "a" * 32, ""])
def test_no_path_is_made_of_what_is_no_digest(digest: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        Descriptor(media_type=OCI_LAYER, digest=digest, size=1)


def test_a_name_is_one_things(layout: Layout) -> None:
    first, second = put_image(layout, b"a", name=""), put_image(layout, b"b", name="")
    with pytest.raises(NotFound, match="names nothing"):
        layout.find()
    layout.name(first, "x")
    assert layout.find("x").bare == first
    assert layout.find().bare == first
    layout.name(second, "y")
    layout.name(second, "x")
    assert {name: entry.digest for name, entry in layout.names().items()} == {"x": second.digest, "y": second.digest}
    layout.name(first, "z")
    with pytest.raises(NotFound, match="more than one"):
        layout.find()
    layout.forget("x", "y")
    assert set(layout.names()) == {"z"}
    with pytest.raises(NotFound, match="it names z"):
        layout.find("x")
    with pytest.raises(NotFound, match="to be named"):
        layout.name(Descriptor(media_type=OCI_MANIFEST, digest=sha256(b"absent"), size=6), "w")


def test_the_image_of_a_platform_is_found_through_indexes(layout: Layout) -> None:
    amd, arm = put_image(layout, b"a", name=""), put_image(layout, b"b", architecture="arm64", name="")
    inner = {
        "schemaVersion": 2,
        "manifests": [
            about(arm, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
            about(arm, platform={"os": "unknown", "architecture": "unknown"}),
        ],
    }
    inside = layout.put(json.dumps(inner).encode(), OCI_INDEX)
    outer = layout.put(json.dumps({"schemaVersion": 2, "manifests": [about(amd), about(inside)]}).encode(), OCI_INDEX)
    assert len(images(layout, outer)) == 2
    assert choose(layout, outer, parse_platform("linux/amd64")).digest == amd.digest
    assert choose(layout, outer, parse_platform("linux/arm64")).digest == arm.digest
    layout.name(outer, "outer")
    layout.name(amd, "one")
    for name in ("outer", "one"):
        assert choose(layout, layout.find(name), parse_platform("linux/amd64")).digest == amd.digest
    with pytest.raises(NotFound, match="has no linux/arm/v7; it is there for linux/amd64, linux/arm64"):
        choose(layout, outer, parse_platform("linux/arm/v7"))
    order = [blob.digest for blob in reachable(layout, outer)]
    assert len(order) == len(set(order)) == 2 * 3 + 2
    assert order.index(amd.digest) < order.index(outer.digest) == len(order) - 1


def test_a_loop_of_indexes_ends(layout: Layout) -> None:
    entry = put_image(layout, b"a", name="")
    for _ in range(5):
        data = json.dumps({"schemaVersion": 2, "manifests": [about(entry)]}).encode()
        entry = layout.put(data, OCI_INDEX)
    for look in (images, reachable):
        with pytest.raises(InvalidRequest):
            look(layout, entry)


def test_an_image_that_contradicts_itself_is_refused(layout: Layout) -> None:
    image = put_image(layout, tar_of({"a": b"1"}))
    assert load(layout, image).config.rootfs.diff_ids == [sha256(tar_of({"a": b"1"}))]
    told = json.loads(layout.read(image))
    for layers in ([], [{**told["layers"][0], "mediaType": "text/plain"}]):
        other = layout.put(json.dumps({**told, "layers": layers}).encode(), OCI_MANIFEST)
        with pytest.raises(InvalidRequest, match=r"layers|kind"):
            load(layout, other)
    with pytest.raises(InvalidRequest, match="nothing of the kind"):
        load(layout, layout.put(b"[]", OCI_MANIFEST))


def test_what_is_encoded_is_the_same_each_time(layout: Layout) -> None:
    manifest = load(layout, put_image(layout, b"a", b"b")).manifest
    assert encode(manifest) == encode(manifest)
    assert b" " not in encode(manifest)
    assert b"annotations" not in encode(manifest)
