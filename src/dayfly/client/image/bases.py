"""The image that a function's image stands on.

    FOLDER          an OCI image layout that holds one image
    FOLDER:NAME     the one of this name in it
    FILE            an archive: a tar of a layout, or what `docker save` wrote
    REFERENCE       an image in a registry, or one that was built here

One from a registry is fetched once, and again when that is asked for. All of it is in the store afterwards.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from dayfly.client.image.probe import Abilities, abilities
from dayfly.client.image.store import store_folder
from dayfly.model.errors import InvalidRequest, NotFound, Unavailable
from dayfly.oci.archive import take_in
from dayfly.oci.assemble import copy
from dayfly.oci.image import Image, choose, load
from dayfly.oci.layout import VERSION_FILE, Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.platform import Platform
from dayfly.oci.reference import Reference, parse_reference

DEFAULTS = {
    "python": "docker.io/library/python:{}-slim",
    "static": "docker.io/library/python:{}-slim",
    "exec": "docker.io/library/python:{}-slim",
    "node": "docker.io/library/node:{}-slim",
}
"""What the images of a runtime stand on unless something else is said."""
_VERSIONS = {"python": "3.12", "static": "3.12", "exec": "3.12", "node": "22"}
_NODE = re.compile(r"node(1[89]|[2-9][0-9])")
_ARCHIVED = "archive."
_ELSEWHERE = (
    "Name one that can, with --base or DAYFLY_BASE_PYTHON, _NODE, _EXEC or _STATIC: of a registry, a folder, or a .tar."
)


class Base(msgspec.Struct, frozen=True):
    """A base for one platform, in the store."""

    image: Image
    abilities: Abilities
    name: str
    """Its reference; empty for one that came from a file or folder."""


def default_base(runtime: str, lang: str, build_args: Mapping[str, str]) -> str:
    """Return the official image that a function of a runtime in DEFAULTS stands on.

    Its version is the argument PYTHON_VERSION's, as in OpenFaaS's templates, or that of `lang: node20`.
    """
    version = _VERSIONS[runtime]
    if runtime == "node":
        named = _NODE.fullmatch(lang.partition("@")[0])
        version = named[1] if named else version
    else:
        version = build_args.get("PYTHON_VERSION") or version
    return DEFAULTS[runtime].format(version)


def find_base(
    text: str, platform: Platform, store: Layout, *, fresh: bool = False, say: Callable[[str], None] = lambda _: None
) -> Base:
    """Return the base that `text` names, for a platform; with `fresh` a registry is asked even for what is here.

    Raises NotFound, InvalidRequest, and what a registry's refusal raises.
    """
    path, _, inner = text.rpartition(":")
    if (Path(text) / VERSION_FILE).is_file():
        entry, name = _from_folder(Layout.open(Path(text)), "", platform, store), ""
    elif path and (Path(path) / VERSION_FILE).is_file():
        entry, name = _from_folder(Layout.open(Path(path)), inner, platform, store), ""
    elif Path(text).is_file():
        entry, name = choose(store, _from_archive(Path(text), store), platform), ""
    elif text.startswith((".", "/")) or text.endswith(".tar") or Path(text).exists():
        raise NotFound(f"The base {text} is neither an OCI layout nor an archive of images.")
    else:
        entry, name = _from_registry(parse_reference(text), platform, store, fresh=fresh, say=say)
    image = load(store, entry.bare)
    return Base(image, abilities(store, image, store_folder().with_name("probes")), name)


def _from_folder(layout: Layout, name: str, platform: Platform, store: Layout) -> Descriptor:
    entry = choose(layout, layout.find(name), platform)
    copy(layout, store, entry)
    return entry


def _from_archive(path: Path, store: Layout) -> Descriptor:
    about = path.stat()
    told = f"{path.resolve()}\0{about.st_size}\0{about.st_mtime_ns}".encode()
    name = _ARCHIVED + hashlib.sha256(told).hexdigest()[:32]
    if name in (kept := store.names()):
        return kept[name]
    # Into a layout of its own first: its names are not to become names of the store.
    with tempfile.TemporaryDirectory(dir=store.folder.parent, prefix="archive-") as folder:
        aside = Layout.create(Path(folder))
        entries = {entry.digest: entry for entry in take_in(path, aside)}
        if len(entries) != 1:
            raise InvalidRequest(f"{path} holds {len(entries)} images; a base has to be the only one.")
        entry = next(iter(entries.values())).bare
        copy(aside, store, entry)
    store.name(entry, name)
    return entry


def _from_registry(
    reference: Reference, platform: Platform, store: Layout, *, fresh: bool, say: Callable[[str], None]
) -> tuple[Descriptor, str]:
    here = None if fresh else store.names().get(str(reference))
    if here is not None:
        try:
            found = choose(store, here, platform)
            if all(store.has(blob) for blob in load(store, found).manifest.layers):
                return found, str(reference)
        except NotFound:
            pass  # it was fetched for another platform
    say(f"fetching {reference.familiar}")
    return choose(store, _pull(reference, platform, store), platform), str(reference)


def _pull(reference: Reference, platform: Platform, store: Layout) -> Descriptor:
    # Imported here because most builds need no network, and what speaks HTTP takes longer to load than they take.
    import asyncio

    from dayfly.oci.registry.connect import connect
    from dayfly.oci.registry.pull import pull

    async def fetch() -> Descriptor:
        async with connect(reference) as session:
            return await pull(session, reference, store, (platform,))

    try:
        return asyncio.run(fetch())
    except Unavailable as error:
        raise Unavailable(f"The base {reference.familiar} cannot be had: {error.message}", hint=_ELSEWHERE) from error
