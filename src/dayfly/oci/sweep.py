"""Making room in a layout: what nothing leads to any more, and names nobody has asked for in a long time.

A blob without a name above it may be one that somebody writes an image around right now, or a layer that the next build
will use: it goes only when nothing has touched it for a week. Whoever uses such a blob touches it.
"""

import contextlib
import time

from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.oci.layout import BLOBS, Layout
from dayfly.oci.manifest import MANIFESTS, Descriptor, Index, Manifest, decode

KEPT = 64
"""Names that stay: those that were given last."""
UNUSED_S = 7 * 24 * 3600.0


def sweep(layout: Layout, *, kept: int = KEPT, unused_s: float = UNUSED_S) -> int:
    """Take away the oldest names and what is left without one, and return how many bytes that gave back."""
    names = list(layout.names())
    if len(names) > kept:
        layout.forget(*names[: len(names) - kept])
    needed: set[str] = set()
    try:
        for entry in layout.index().manifests:
            _reach(layout, entry, needed)
    except InvalidRequest:
        return 0  # something is damaged, so that nobody can say what is needed
    before, freed = time.time() - unused_s, 0
    for path in (layout.folder / BLOBS).iterdir():
        with contextlib.suppress(OSError):
            about = path.stat()
            if path.name not in needed and about.st_mtime < before:
                path.unlink()
                freed += about.st_size
    return freed


def _reach(layout: Layout, entry: Descriptor, needed: set[str]) -> None:
    """Add what leads on from here; of an index from a registry not all images need be here."""
    needed.add(entry.digest.removeprefix("sha256:"))
    if entry.is_index:
        with contextlib.suppress(NotFound):
            for each in decode(layout.read(entry), Index, f"the index {entry.digest}").manifests:
                _reach(layout, each, needed)
    elif entry.media_type in MANIFESTS:
        with contextlib.suppress(NotFound):
            manifest = decode(layout.read(entry), Manifest, f"the manifest {entry.digest}")
            needed |= {blob.digest.removeprefix("sha256:") for blob in (manifest.config, *manifest.layers)}
