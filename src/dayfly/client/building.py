"""From a function's folder to what is deployed: packed as it is, compiled and then packed, or made an image.

    packed      runtimes that load a handler themselves: Python, Node, static files
    assembled   a template's files around it: scripts, whose interpreter runs them
    compiled    the same, then the template's build; only what it made is packed
    image       a Dockerfile, built by the container engine of this machine

Where nothing changed since the last time nothing is compiled.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from dayfly.client import build_steps
from dayfly.client.assembly import Copy, assemble, take_out
from dayfly.client.build_cache import BuildCache, key_of
from dayfly.client.bundle import Bundle, pack
from dayfly.client.images import build_image, find_engine
from dayfly.client.requirements import REQUIREMENTS, with_flask
from dayfly.client.template_file import Template
from dayfly.client.templates import FLASK
from dayfly.model.errors import BuildFailed
from dayfly.oci.scan import Allowance, Scan, label_of


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a function is made of."""

    template: Template
    folder: Path
    """The handler's."""
    build_args: dict[str, str] = {}
    """Variables of the build, or arguments of the Dockerfile."""
    build_options: tuple[str, ...] = ()
    build_secrets: dict[str, Path] = {}
    """Files that a Dockerfile's steps may mount, by the ids they know them under; none of them gets into the image."""
    copies: tuple[Copy, ...] = ()
    allowed: tuple[Allowance, ...] = ()
    """Which credentials are meant to be in it."""
    labels: dict[str, str] = {}
    """Of an image that an engine builds."""
    no_cache: bool = False
    """Whether an engine builds every step anew."""

    @property
    def is_plain(self) -> bool:
        """Whether the handler's folder is the bundle, as it is."""
        return self.template.packs_handler and not self.copies and self.template.runtime != "image"


def build(source: Source, image: str = "", say: Callable[[str], None] = lambda _: None) -> Bundle | None:
    """Return the bundle of a function; None after making `image`, where it is one. `say` is told what goes on.

    Raises NotSupported when the toolchain is not there, BuildFailed with what it printed, and what packing raises.
    """
    template = source.template
    requirements = with_flask(source.folder) if template.dialect == FLASK else None
    if source.is_plain and requirements is None:
        say("packing")
        return pack(source.folder, source.allowed)
    version = ""
    if template.recipe.steps:
        found = build_steps.version_of(template) if template.check else ""
        if found is None:
            raise build_steps.missing(template)
        version = found
    cache = BuildCache()
    with cache.place(source.folder) as place:
        place.mkdir(mode=0o700)
        folder = place / "build"
        accepted = assemble(template, source.folder, source.copies, folder, source.allowed)
        if requirements is not None:
            (folder / REQUIREMENTS).write_bytes(requirements)
        if template.runtime == "image":
            say("building the image")
            scan = Scan()
            scan.arguments(source.build_args)
            scan.refuse(source.allowed, "the image's build arguments")
            build_image(
                template,
                folder,
                image,
                source.build_args,
                source.build_options,
                labels=source.labels,
                no_cache=source.no_cache,
                secrets=source.build_secrets,
            )
            return None
        if not template.recipe.steps:
            say("packing")
            return _packed(source, folder, place / "bundle")
        key = key_of(template, version, source.build_args, folder)
        bundle = cache.find(key)
        if bundle is None:
            say("compiling")
            build_steps.run(template, folder, source.build_args)
            bundle = _packed(source, folder, place / "bundle")
            cache.keep(key, bundle)
    return msgspec.structs.replace(bundle, allowed=label_of(accepted))


def is_there(template: Template) -> bool:
    """Return whether this machine has what the template needs, as far as its check, or the engine, can tell."""
    if template.runtime == "image":
        return find_engine() is not None
    return not template.check or build_steps.version_of(template) is not None


def _packed(source: Source, folder: Path, target: Path) -> Bundle:
    template = source.template
    if template.packs_handler:
        return pack(folder, source.allowed)
    missing = take_out(template, folder, target)
    if missing:
        made = ", ".join(missing)
        raise BuildFailed(f"The build of the template {template.name} ended well, but made no {made}.")
    return pack(target, source.allowed)
