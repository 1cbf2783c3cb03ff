"""One image of a layout: its manifest and configuration, found through the indexes that lead there.

An index may hold indexes; three levels of them are followed. What an entry says of its platform is believed for the
choice, the configuration for everything after it.
"""

import msgspec

from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import LAYERS, MANIFESTS, Descriptor, ImageConfig, Index, Manifest, decode
from dayfly.oci.platform import Platform

_LEVELS = 3


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image for one platform."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig


def images(layout: Layout, entry: Descriptor, *, levels: int = _LEVELS) -> list[Descriptor]:
    """Return the manifests that `entry` stands for: itself, or those of an index, without what has no platform.

    Attestations and signatures are in indexes too, for the platform `unknown`. Raises what reading a blob raises.
    """
    if entry.media_type in MANIFESTS:
        return [entry]
    if not entry.is_index or not levels:
        raise InvalidRequest(f"{entry.digest} is of the kind {entry.media_type[:100]!r}, which is no image.")
    index = decode(layout.read(entry), Index, f"the index {entry.digest}")
    found: list[Descriptor] = []
    for each in index.manifests:
        is_image = each.media_type in MANIFESTS and not each.artifact_type
        if each.is_index or (is_image and (each.platform is None or each.platform.os != "unknown")):
            found += images(layout, each, levels=levels - 1)
    return found


def choose(layout: Layout, entry: Descriptor, platform: Platform) -> Descriptor:
    """Return the image of `entry` that runs on the platform: the same, else the newest older variant.

    Raises NotFound, naming those that there are.
    """
    found: list[tuple[Platform, Descriptor]] = []
    for each in images(layout, entry):
        record = each.platform
        found.append((record.platform if record else load(layout, each).config.platform, each))
    fitting = sorted((each for each in found if platform.runs(each[0])), key=lambda each: each[0].variant)
    if fitting:
        return fitting[-1][1]
    known = ", ".join(sorted({str(each) for each, _ in found})) or "none"
    raise NotFound(f"The image has no {platform}; it is there for {known}.")


def load(layout: Layout, descriptor: Descriptor) -> Image:
    """Return a manifest and its configuration. Raises InvalidRequest when they do not fit each other, NotFound."""
    manifest = decode(layout.read(descriptor), Manifest, f"the manifest {descriptor.digest}")
    config = decode(layout.read(manifest.config), ImageConfig, f"the configuration {manifest.config.digest}")
    if len(config.rootfs.diff_ids) != len(manifest.layers):
        told = f"{len(manifest.layers)} layers, and its configuration tells of {len(config.rootfs.diff_ids)}"
        raise InvalidRequest(f"The image {descriptor.digest} has {told}.")
    for layer in manifest.layers:
        if layer.media_type not in LAYERS:
            raise InvalidRequest(f"The image {descriptor.digest} has a layer of the kind {layer.media_type[:100]!r}.")
    return Image(descriptor=descriptor, manifest=manifest, config=config)


def reachable(layout: Layout, entry: Descriptor) -> list[Descriptor]:
    """Return all blobs that `entry` needs, each once, what is pointed to before what points to it; `entry` is last."""
    found: dict[str, Descriptor] = {}
    _reach(layout, entry, found, _LEVELS + 1)
    return list(found.values())


def _reach(layout: Layout, entry: Descriptor, found: dict[str, Descriptor], levels: int) -> None:
    if entry.digest in found:
        return
    if not levels:
        raise InvalidRequest(f"{entry.digest} lies below more than {_LEVELS} indexes.")
    if entry.is_index:
        for each in decode(layout.read(entry), Index, f"the index {entry.digest}").manifests:
            _reach(layout, each, found, levels - 1)
    elif entry.media_type in MANIFESTS:
        manifest = decode(layout.read(entry), Manifest, f"the manifest {entry.digest}")
        for blob in (manifest.config, *manifest.layers):
            found.setdefault(blob.digest, blob)
    found[entry.digest] = entry
