"""Images of engines, packed as registries keep them."""

import gzip
import json
from pathlib import Path

import pytest
from tests.unit.oci.making import about, config_of, put_image, tar_of

from dayfly.oci.image import load
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import (
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from dayfly.oci.packing import packed

LAYERS = [tar_of({"one": bytes(100_000)}), tar_of({"two": b"2"})]


@pytest.mark.parametrize(
    ("manifest", "plain", "gzipped"),
    [(OCI_MANIFEST, OCI_LAYER, OCI_LAYER_GZIP), (DOCKER_MANIFEST, DOCKER_LAYER, DOCKER_LAYER_GZIP)],
)
def test_unpacked_layers_are_packed_and_all_else_stays(tmp_path: Path, manifest: str, plain: str, gzipped: str) -> None:
    layout = Layout.create(tmp_path)
    config = layout.put(config_of(*LAYERS, Env=["A=b"]), OCI_CONFIG)
    layers = [layout.put(LAYERS[0], plain), layout.put(gzip.compress(LAYERS[1], mtime=0), gzipped)]
    document = {"schemaVersion": 2, "mediaType": manifest, "config": about(config), "layers": list(map(about, layers))}
    entry = layout.put(json.dumps(document).encode(), manifest)
    made = packed(layout, entry)
    assert made.media_type == manifest
    image = load(layout, made)
    assert image.config == load(layout, entry).config
    assert image.manifest.config == config
    assert [layer.media_type for layer in image.manifest.layers] == [gzipped, gzipped]
    assert image.manifest.layers[1] == layers[1]
    assert gzip.decompress(layout.path(image.manifest.layers[0]).read_bytes()) == LAYERS[0]
    assert packed(layout, entry) == made, "the same each time"


def test_an_image_that_is_packed_is_itself(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    image = put_image(layout, *LAYERS, name="")
    assert packed(layout, image) == image
