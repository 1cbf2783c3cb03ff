"""An image with its layers packed, as registries keep them: engines give theirs out unpacked, three times as large."""

import msgspec

from dayfly.oci.image import load
from dayfly.oci.layer import pack
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import DOCKER_LAYER, DOCKER_LAYER_GZIP, OCI_LAYER, OCI_LAYER_GZIP, Descriptor, encode

_PACKED = {OCI_LAYER: OCI_LAYER_GZIP, DOCKER_LAYER: DOCKER_LAYER_GZIP}


def packed(layout: Layout, entry: Descriptor) -> Descriptor:
    """Return the same image with packed layers, itself when they are; its configuration is the same in any case.

    Raises what reading the image raises.
    """
    manifest = load(layout, entry).manifest
    layers = [
        pack(layout, layer, _PACKED[layer.media_type]) if layer.media_type in _PACKED else layer
        for layer in manifest.layers
    ]
    if layers == manifest.layers:
        return entry
    return layout.put(encode(msgspec.structs.replace(manifest, layers=layers)), entry.media_type)
