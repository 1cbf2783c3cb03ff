"""An image out of a registry into a layout, for some platforms or for all that it is there for.

What the reference means is kept as it came, so that its digest stays what it is; an index may then name images that
were not asked for and are not here. A later pull adds them.
"""

import asyncio
from collections.abc import Sequence

from dayfly.model.errors import InvalidRequest
from dayfly.oci.image import choose, images
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import INDEXES, MANIFESTS, Descriptor, Index, Manifest, decode
from dayfly.oci.platform import Platform
from dayfly.oci.reference import Reference
from dayfly.oci.registry import manifests
from dayfly.oci.registry.blobs import download
from dayfly.oci.registry.failures import first
from dayfly.oci.registry.progress import Progress, ignore
from dayfly.oci.registry.session import Session

PARALLEL = 4
"""Blobs that are under way at a time."""
MAX_BYTES = 64 << 30
"""The most that an image may say it has."""
_LEVELS = 3


async def pull(
    session: Session,
    reference: Reference,
    layout: Layout,
    platforms: Sequence[Platform] = (),
    *,
    progress: Progress = ignore,
    parallel: int = PARALLEL,
) -> Descriptor:
    """Bring an image into the layout under its full name and return what that stands for: an image or an index.

    With no platforms, for all of them. Raises NotFound when the registry has no such image or none for a platform,
    InvalidRequest when what comes is no image or not what its digest says, and what a session raises.
    """
    entry, data = await manifests.fetch(session, reference)
    await asyncio.to_thread(layout.put, data, entry.media_type)
    await _indexes(session, reference, layout, entry, _LEVELS)
    wanted = await _wanted(session, reference, layout, entry, platforms)
    found: dict[str, Descriptor] = {}
    for image in wanted:
        manifest = await _manifest(session, reference, layout, image)
        for blob in (manifest.config, *manifest.layers):
            found.setdefault(blob.digest, blob)
    if (size := sum(blob.size for blob in found.values())) > MAX_BYTES:
        raise InvalidRequest(f"{reference.familiar} says that it has {size} bytes; {MAX_BYTES} is the most.")
    places = asyncio.Semaphore(parallel)

    async def one(blob: Descriptor) -> None:
        async with places:
            await download(session, reference.repository, blob, layout, progress)

    try:
        async with asyncio.TaskGroup() as tasks:
            for blob in found.values():
                tasks.create_task(one(blob))
    except* Exception as failures:
        raise first(failures) from None
    await asyncio.to_thread(layout.name, entry, str(reference))
    return entry


async def _indexes(session: Session, reference: Reference, layout: Layout, entry: Descriptor, levels: int) -> None:
    """Bring the indexes below an index into the layout."""
    if not entry.is_index:
        return
    if not levels:
        raise InvalidRequest(f"{reference.familiar} lies below more than {_LEVELS} indexes.")
    index = decode(await asyncio.to_thread(layout.read, entry), Index, f"the index {entry.digest}")
    for each in index.manifests:
        if each.is_index:
            await _document(session, reference, layout, each)
            await _indexes(session, reference, layout, each, levels - 1)


async def _wanted(
    session: Session, reference: Reference, layout: Layout, entry: Descriptor, platforms: Sequence[Platform]
) -> list[Descriptor]:
    """Return the images that are meant, each once."""
    there = await asyncio.to_thread(images, layout, entry)
    if not platforms:
        return there
    for each in there:
        if each.platform is None:
            # Only its configuration knows what it is for.
            manifest = await _manifest(session, reference, layout, each)
            await download(session, reference.repository, manifest.config, layout)
    chosen = [await asyncio.to_thread(choose, layout, entry, platform) for platform in platforms]
    return list({each.digest: each for each in chosen}.values())


async def _manifest(session: Session, reference: Reference, layout: Layout, image: Descriptor) -> Manifest:
    data = await _document(session, reference, layout, image)
    return decode(data, Manifest, f"the manifest {image.digest}")


async def _document(session: Session, reference: Reference, layout: Layout, blob: Descriptor) -> bytes:
    """Return a manifest or index by its digest, out of the layout or else the registry."""
    if await asyncio.to_thread(layout.has, blob):
        return await asyncio.to_thread(layout.read, blob)
    found, data = await manifests.fetch(session, reference.at(blob.digest))
    if (found.media_type, found.size) != (blob.media_type, blob.size) or found.media_type not in INDEXES | MANIFESTS:
        raise InvalidRequest(f"{blob.digest} of {reference.familiar} is not what the index says of it.")
    await asyncio.to_thread(layout.put, data, found.media_type)
    return data
