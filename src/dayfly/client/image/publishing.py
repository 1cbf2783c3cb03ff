"""Built images on their way to their registry: out of this account's store, or out of the engine that built them.

Everything that leaves goes through one gate, which sees the image whole before a byte of it is sent.
"""

import asyncio
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from dayfly.client.images import find_engine
from dayfly.model.errors import BuildFailed, NotFound, NotSupported
from dayfly.oci.archive import take_in
from dayfly.oci.assemble import copy
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.packing import packed
from dayfly.oci.reference import Reference
from dayfly.oci.registry.connect import connect
from dayfly.oci.registry.progress import Step
from dayfly.oci.registry.push import Gate, Pushed, open_gate, push

SAVE_TIMEOUT_S = 600.0
_SAVE = {
    "docker": ("docker", "save", "--output={file}", "{image}"),
    "podman": ("podman", "save", "--format=oci-archive", "--output={file}", "{image}"),
    "buildah": ("buildah", "push", "{image}", "oci-archive:{file}"),
}
Say = Callable[[str], None]


class How(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all images of one push."""

    extra_tags: Sequence[str] = ()
    insecure: bool = False
    gate: Gate = open_gate


def publish(reference: Reference, store: Layout, how: How, *, engine_first: bool = False, say: Say = print) -> Pushed:
    """Send an image to its registry; `engine_first` for those that a Dockerfile says.

    Raises NotFound when there is no such image here, and what pushing raises.
    """
    entry = find_image(reference, store, engine_first=engine_first, say=say)
    return asyncio.run(_push(reference, store, entry, how, say))


def find_image(reference: Reference, store: Layout, *, engine_first: bool, say: Say) -> Descriptor:
    """Return an image of this machine, which is in the store then. Raises NotFound."""
    if not engine_first and (found := store.names().get(str(reference))) is not None:
        return found
    try:
        return _from_engine(reference, store, say)
    except (NotFound, NotSupported):
        if (found := store.names().get(str(reference))) is not None:
            return found
    raise NotFound(f"There is no image {reference.familiar} on this machine.", hint="Build it first: dayfly build.")


def _from_engine(reference: Reference, store: Layout, say: Say) -> Descriptor:
    """Raises NotSupported when there is no engine, NotFound when it does not have the image."""
    engine = find_engine()
    if engine is None:
        raise NotSupported("Neither Docker nor Podman nor buildah answers on this machine.")
    with tempfile.TemporaryDirectory(dir=store.folder.parent, prefix="engine-") as name:
        say(f"taking it from {engine}")
        path = Path(name) / "image.tar"
        argv = [part.format(file=path, image=reference.familiar) for part in _SAVE[engine]]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SAVE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise BuildFailed(f"`{' '.join(argv[:2])}` took longer than {SAVE_TIMEOUT_S:g} s.") from None
        if done.returncode:
            raise NotFound(f"{engine} has no {reference.familiar}: {done.stderr.decode(errors='replace')[:300]}")
        # Into a layout of its own first: its names are not to become names of the store.
        aside = Layout.create(Path(name) / "layout")
        say("packing its layers")
        entry = packed(aside, take_in(path, aside)[0].bare)
        copy(aside, store, entry)
    store.name(entry, str(reference))
    return entry


async def _push(reference: Reference, store: Layout, entry: Descriptor, how: How, say: Say) -> Pushed:
    moving: dict[str, int] = {}

    def told(step: Step) -> None:
        if step.state == "moving":
            moving[step.blob.digest] = step.done
            say(f"{sum(moving.values()) // 2**20} MiB sent")

    async with connect(reference, insecure=how.insecure) as session:
        return await push(session, store, entry, reference, extra_tags=how.extra_tags, gate=how.gate, progress=told)
