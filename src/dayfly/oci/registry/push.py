"""A whole image into a registry: what it is made of first, itself last, so that no name ever points at half of it.

An image is one for a single platform or an index of several. What the repository has already is not sent again; what
another repository of the same registry has is mounted from there.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.oci.image import images, reachable
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import INDEXES, MANIFESTS, Descriptor, Manifest, decode
from dayfly.oci.reference import Reference, parse_reference
from dayfly.oci.registry import manifests, referrers
from dayfly.oci.registry.failures import first
from dayfly.oci.registry.progress import Progress, Step, ignore
from dayfly.oci.registry.session import Session
from dayfly.oci.registry.upload import upload

PARALLEL = 4
"""Blobs that are under way at a time."""
_BASE = "org.opencontainers.image.base.name"
_MAX_MOUNTS = 2

Gate = Callable[[Layout, Descriptor, Reference], Sequence[Descriptor]]
"""Is asked before anything leaves the machine, in a thread: raises to keep the image here, else returns manifests of
the layout that go with it, each with the image as its `subject`: what is in it, who signed it."""


class Pushed(msgspec.Struct, frozen=True):
    """What a push did."""

    descriptor: Descriptor
    """What the names stand for now."""
    names: tuple[str, ...]


def open_gate(_: Layout, __: Descriptor, ___: Reference) -> Sequence[Descriptor]:
    """Let everything pass, and add nothing."""
    return ()


async def push(
    session: Session,
    layout: Layout,
    entry: Descriptor,
    reference: Reference,
    *,
    extra_tags: Sequence[str] = (),
    gate: Gate = open_gate,
    progress: Progress = ignore,
    parallel: int = PARALLEL,
) -> Pushed:
    """Put the image into the registry under the reference's tag, and under `extra_tags`.

    Raises what the gate raises, NotFound and InvalidRequest when the layout lacks part of the image, InvalidSpec for a
    bad tag, InvalidRequest for a reference with a digest that is another image's, and what a session raises.
    """
    if reference.digest and reference.digest != entry.digest:
        raise InvalidRequest(f"{reference.familiar} names another image than {entry.digest}, which is to be pushed.")
    names = [reference, *(reference.tagged(tag) for tag in extra_tags)]
    companions = await asyncio.to_thread(gate, layout, entry, reference)
    await _transfer(session, layout, entry.bare, reference, progress, parallel)
    for name in names:
        if await manifests.digest_of(session, name) != entry.digest:
            await manifests.put(session, name, entry, await asyncio.to_thread(layout.read, entry))
    for companion in companions:
        await _transfer(session, layout, companion.bare, reference, progress, parallel)
        await referrers.attach(session, reference, companion, await asyncio.to_thread(layout.read, companion))
    return Pushed(entry.bare, tuple(name.familiar for name in names))


async def _transfer(
    session: Session, layout: Layout, entry: Descriptor, reference: Reference, progress: Progress, parallel: int
) -> None:
    """Bring everything that `entry` needs into the repository, but not itself."""
    if await manifests.digest_of(session, reference.at(entry.digest)):
        # A registry takes no manifest before it has all that it points to.
        progress(Step(entry, "present", entry.size))
        return
    needed = (await asyncio.to_thread(reachable, layout, entry))[:-1]
    mounts = await asyncio.to_thread(_mounts, layout, entry, reference)
    places = asyncio.Semaphore(parallel)

    async def one(blob: Descriptor) -> None:
        async with places:
            await upload(session, reference.repository, blob, layout, mounts=mounts, progress=progress)

    documents = [blob for blob in needed if blob.media_type in INDEXES | MANIFESTS]
    try:
        async with asyncio.TaskGroup() as tasks:
            for blob in needed:
                if blob not in documents:
                    tasks.create_task(one(blob))
    except* Exception as failures:
        raise first(failures) from None
    for blob in documents:
        await manifests.put(session, reference.at(blob.digest), blob, await asyncio.to_thread(layout.read, blob))
        progress(Step(blob, "moved", blob.size))


def _mounts(layout: Layout, entry: Descriptor, reference: Reference) -> tuple[str, ...]:
    """Return the repositories of the same registry that the image's bases are from, as its annotations say."""
    annotated = [_annotations(layout, each) for each in images(layout, entry)]
    found: dict[str, None] = {}
    for annotations in annotated:
        if name := annotations.get(_BASE):
            base = parse_reference(name)
            if base.registry == reference.registry and base.repository != reference.repository:
                found[base.repository] = None
    return tuple(found)[:_MAX_MOUNTS]


def _annotations(layout: Layout, blob: Descriptor) -> dict[str, str]:
    return decode(layout.read(blob), Manifest, f"the manifest {blob.digest}").annotations or {}
