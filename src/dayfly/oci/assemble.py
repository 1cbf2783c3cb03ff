"""Images put together: a base's layers, then ours, and a configuration that says how it is run.

The same base, layers and settings give the same manifest, byte for byte: nothing of the machine or the hour is in it.
What the base said of itself stays where nothing else is said; its own way to start is replaced.
"""

import contextlib
from collections.abc import Sequence

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.oci.image import Image, load, reachable
from dayfly.oci.layer import Layer
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import (
    LAYERS,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    History,
    ImageConfig,
    Index,
    Manifest,
    PlatformRecord,
    RootFs,
    RunConfig,
    encode,
)

CREATED = "1970-01-01T00:00:00Z"
"""When every image was made, as far as it says."""
BASE_NAME, BASE_DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
BUILT_BY = "dayfly build"
"""What the history says of the layers that are put on a base."""
_CHUNK = 1 << 20


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How containers of an image are run."""

    entrypoint: list[str]
    working_dir: str
    user: str
    """Numbers, so that a cluster can tell that it is not root."""
    port: int = 8080
    env: dict[str, str] = {}
    """What is added to the base's."""
    labels: dict[str, str] = {}
    """What is added to the base's."""


def assemble(layout: Layout, base: Image, layers: Sequence[Layer], start: Start, base_name: str = "") -> Descriptor:
    """Return the image of these layers on a base, all of whose blobs are in the layout."""
    config = layout.put(encode(_config(base.config, layers, start)), OCI_CONFIG)
    below = [msgspec.structs.replace(each.bare, media_type=LAYERS[each.media_type]) for each in base.manifest.layers]
    annotations = {BASE_DIGEST: base.descriptor.digest, **({BASE_NAME: base_name} if base_name else {})}
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=config,
        layers=[*below, *(layer.descriptor for layer in layers)],
        annotations=dict(sorted(annotations.items())),
    )
    return layout.put(encode(manifest), OCI_MANIFEST)


def join(layout: Layout, images: Sequence[Descriptor]) -> Descriptor:
    """Return an index of images for several platforms, in the order of these. Raises InvalidRequest for a double."""
    entries, seen = [], set()
    for image in images:
        config = load(layout, image).config
        if config.platform in seen:
            raise InvalidRequest(f"There are two images for {config.platform}.")
        seen.add(config.platform)
        record = PlatformRecord(architecture=config.architecture, os=config.os, variant=config.variant)
        entries.append(msgspec.structs.replace(image.bare, platform=record))
    return layout.put(encode(Index(schema_version=2, media_type=OCI_INDEX, manifests=entries)), OCI_INDEX)


def copy(source: Layout, target: Layout, entry: Descriptor) -> None:
    """Keep in one layout what another has, checked on the way; what is there already is left alone."""
    for blob in reachable(source, entry):
        if target.has(blob):
            target.touch(blob)
            continue
        with contextlib.ExitStack() as stack:
            file, writer = stack.enter_context(source.open_blob(blob)), stack.enter_context(target.writer())
            while chunk := file.read(_CHUNK):
                writer.write(chunk)
            writer.keep(blob)


def _config(base: ImageConfig, layers: Sequence[Layer], start: Start) -> ImageConfig:
    known = base.run
    env = known.environment | start.env
    run = RunConfig(
        user=start.user,
        exposed_ports={**(known.exposed_ports or {}), f"{start.port}/tcp": {}},
        env=[f"{name}={value}" for name, value in env.items()],
        entrypoint=start.entrypoint,
        working_dir=start.working_dir,
        labels=dict(sorted({**(known.labels or {}), **start.labels}.items())) or None,
        volumes=known.volumes,
    )
    history = [History(created=CREATED, created_by=BUILT_BY, comment=layer.comment) for layer in layers]
    return ImageConfig(
        created=CREATED,
        architecture=base.architecture,
        os=base.os,
        os_version=base.os_version,
        variant=base.variant,
        config=run,
        rootfs=RootFs(diff_ids=[*base.rootfs.diff_ids, *(layer.diff_id for layer in layers)]),
        history=[*(base.history or []), *history],
    )
