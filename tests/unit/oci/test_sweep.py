"""Making room: what nothing leads to goes once it is old, and nothing else does."""

import json
import os
from pathlib import Path

import pytest
from tests.unit.oci.making import about, blob_file, put_image

from dayfly.oci.assemble import copy
from dayfly.oci.image import reachable
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_INDEX, OCI_LAYER, Descriptor
from dayfly.oci.sweep import sweep


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "images")


def age(layout: Layout) -> None:
    """Let everything be from long ago."""
    for path in (layout.folder / "blobs/sha256").iterdir():
        os.utime(path, (1, 1))


def test_what_has_a_name_stays_with_all_below_it(layout: Layout) -> None:
    image, left = put_image(layout, b"1", name=""), put_image(layout, b"2", name="")
    inner = layout.put(json.dumps({"schemaVersion": 2, "manifests": [about(image)]}).encode(), OCI_INDEX)
    layout.name(inner, "kept")
    needed = reachable(layout, inner)
    age(layout)
    fresh = layout.put(b"being written", OCI_LAYER)
    used = layout.put(b"used by the next build", OCI_LAYER)
    os.utime(blob_file(layout, used), (1, 1))
    layout.touch(used)
    assert sweep(layout) > 0
    assert all(layout.has(blob) for blob in (*needed, fresh, used))
    assert not layout.has(left)
    assert sweep(layout) == 0


def test_what_is_kept_again_counts_as_used(layout: Layout, tmp_path: Path) -> None:
    blob, image = layout.put(b"x", OCI_LAYER), put_image(layout, b"1", name="")
    age(layout)
    layout.put(b"x", OCI_LAYER)
    other = Layout.create(tmp_path / "other")
    copy(other, layout, put_image(other, b"1", name=""))
    assert sweep(layout) == 0
    assert layout.has(blob)
    assert layout.has(image)


def test_the_names_given_last_stay(layout: Layout) -> None:
    images = [put_image(layout, b"%d" % number, name=f"n{number}") for number in range(4)]
    layout.name(images[0], "n0")
    age(layout)
    sweep(layout, kept=2)
    assert set(layout.names()) == {"n3", "n0"}
    assert [layout.has(image) for image in images] == [True, False, False, True]


def test_an_index_that_was_fetched_for_one_platform_is_no_obstacle(layout: Layout) -> None:
    here, away = put_image(layout, b"1", name=""), put_image(layout, b"2", name="")
    data = json.dumps({"schemaVersion": 2, "manifests": [about(here), about(away)]}).encode()
    layout.name(layout.put(data, OCI_INDEX), "both")
    blob_file(layout, away).unlink()
    left = layout.put(b"left", OCI_LAYER)
    age(layout)
    assert sweep(layout) > 0
    assert layout.has(here)
    assert not layout.has(left)


def test_where_something_is_damaged_nothing_goes(layout: Layout) -> None:
    image, left = put_image(layout, b"1"), put_image(layout, b"2", name="")
    age(layout)
    blob_file(layout, image).write_bytes(b"{}" * (image.size // 2))
    assert sweep(layout) == 0
    assert layout.has(left)
    layout.touch(Descriptor(media_type=OCI_LAYER, digest="sha256:" + "0" * 64, size=1))
