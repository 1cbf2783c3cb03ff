"""`dayfly build`: functions as images, without an engine where that can be; with faas-cli's options and texts."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dayfly.cli.build_source import Additions, BuildSource
from dayfly.cli.options import Pair, allow_secret_option
from dayfly.cli.selection import stack_options, tag_option
from dayfly.cli.terminal import Progress, neutralise
from dayfly.cli.workers import each, parallel_option
from dayfly.model.errors import InvalidRequest, NotSupported

if TYPE_CHECKING:
    from dayfly.client.stack_function import StackFunction
    from dayfly.oci.layout import Layout
    from dayfly.oci.manifest import Descriptor
    from dayfly.oci.platform import Platform

_BASES = "DAYFLY_BASE_"


class _How(Additions, frozen=True, kw_only=True):
    """What is the same for all functions of one command."""

    build_label: tuple[tuple[str, str], ...]
    base: str
    platforms: str
    no_cache: bool
    pull: bool
    load: bool
    quiet: bool


@click.command("build")
@click.argument("name", default="")
@stack_options
@parallel_option
@click.option("--handler", metavar="DIR", help="The folder of the function's code, instead of a stack file.")
@click.option("--lang", default="", metavar="LANG", help="The language, as in a stack file.  [default: python]")
@click.option(
    "--entrypoint", default="", metavar="MODULE[:NAME]", help="The handler in the folder.  [default: handler]"
)
@click.option("--name", "named", default="", help="The same as NAME, as faas-cli has it.")
@click.option("--image", default="", help="The image's name, with --handler.  [default: NAME:latest]")
@click.option("-b", "--build-arg", multiple=True, type=Pair(), help="An argument of a Dockerfile or of a compiler.")
@click.option("-o", "--build-option", multiple=True, metavar="NAME", help="An option of the template.")
@click.option("--build-label", multiple=True, type=Pair(), help="A label of the image.")
@click.option("--copy-extra", multiple=True, metavar="PATH", help="A file or folder that goes into every function.")
@tag_option
@click.option("--base", default="", metavar="IMAGE|PATH", help="The image to build on: a reference, a layout, a tar.")
@click.option("--platforms", default="", metavar="LIST", help="Such as linux/amd64,linux/arm64.  [default: this one's]")
@click.option(
    "--output", "target", type=click.Path(path_type=Path), metavar="DIR|FILE.tar", help="Write the images there too."
)
@click.option("--load", is_flag=True, help="Give the images to Docker or Podman too.")
@click.option("--pull", is_flag=True, help="Ask the registry for the base even if it is here.")
@click.option("--no-cache", is_flag=True, help="Install packages again, and run every step of a Dockerfile.")
@click.option("--shrinkwrap", is_flag=True, help="Only lay out ./build/NAME, what a Dockerfile would be built in.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.option("--squash", is_flag=True, hidden=True)
@click.option("--disable-stack-pull", is_flag=True, hidden=True)
@click.option("--overwrite", is_flag=True, hidden=True)
@click.option("--debug", is_flag=True, hidden=True)
@allow_secret_option
def command(parallel: int, target: Path | None, shrinkwrap: bool, **given: Any) -> None:
    """Build functions as container images.

    Python, Node, Bash and static functions need no container engine: their image is put together of a base, one layer
    of packages and one of code, the same bytes each time. It is kept in this account's store of images, from where
    `dayfly push` sends it. Functions with a Dockerfile are built by Docker, Podman or buildah.

    The base is --base, else the function's `base` in the stack file, else DAYFLY_BASE_PYTHON, _NODE, _EXEC or _STATIC,
    else the official image of the language.

    \b
    Examples:
      dayfly build
      dayfly build -f stack.yaml --filter 'mail-*' --parallel 4 --tag sha
      dayfly build hello --handler ./hello --image registry.example.com/hello:1 --platforms linux/amd64,linux/arm64
      dayfly build hello --base ./python.tar --output hello.tar
    """
    source = msgspec.convert(_part(given, BuildSource), BuildSource)
    how = msgspec.convert(_part(given, _How), _How)
    platforms = _platforms(how)
    functions = source.find(how)
    began = time.monotonic()
    for one in functions:
        if one.skip_build:
            click.echo(f"Skipping build of: {one.spec.name}.")
    work = _shrinkwrap if shrinkwrap else lambda one: _build(one, how, platforms)
    built = each(
        [one for one in functions if not one.skip_build],
        work,
        name=lambda one: one.spec.name,
        failed="to build",
        parallel=parallel,
        doing="Building",
    )
    if target is not None:
        _write(dict(image for image in built if isinstance(image, tuple)), target)
    click.echo(f"\nTotal build time: {time.monotonic() - began:.2f}s")


def _platforms(how: _How) -> "tuple[Platform, ...]":
    from dayfly.oci.platform import parse_platforms

    return parse_platforms(how.platforms) if how.platforms else ()


def _build(one: "StackFunction", how: _How, platforms: "tuple[Platform, ...]") -> "tuple[str, Descriptor] | str":
    """Build one function; return its image's whole name, and what that is if it is in the store."""
    from dayfly.client.building import build

    name, image = one.spec.name, one.spec.image
    if not how.quiet:
        click.echo(f"Building: {neutralise(image)} with {one.template.name} template. Please wait..")
    with Progress() as progress:

        def say(what: str) -> None:
            if not how.quiet:
                progress.show(f"{name}: {what}")

        if one.template.runtime == "image":
            _check_platforms(platforms)
            source = msgspec.structs.replace(one.source, labels=dict(how.build_label), no_cache=how.no_cache)
            build(source, image, say)
            built: tuple[str, Descriptor] | str = image
        else:
            built = _assemble(one, how, platforms, say)
    click.echo(f"Image: {neutralise(image)} built.")
    return built


def _check_platforms(platforms: "tuple[Platform, ...]") -> None:
    """Raises NotSupported for any but this machine's: an engine would have to run other processors' programs."""
    from dayfly.oci.platform import this_machine

    if set(platforms) - {this_machine()}:
        raise NotSupported(
            f"A Dockerfile is built for {this_machine()} alone, which this machine is.",
            hint="Build it on a machine of each platform; Python, Node, Bash and static functions are built for any.",
        )


def _assemble(one: "StackFunction", how: _How, platforms: "tuple[Platform, ...]", say: Any) -> "tuple[str, Descriptor]":
    from dayfly.client.image import delivery
    from dayfly.client.image.build import How, build_image
    from dayfly.oci.reference import parse_reference

    reference = parse_reference(one.spec.image)
    base = how.base or one.base or os.environ.get(_BASES + one.spec.runtime.upper(), "")
    labels = dict(how.build_label)
    wanted = How(base=base, platforms=platforms, labels=labels, no_cache=how.no_cache, fresh=how.pull)
    store = _store()
    entry = build_image(one.source, one.spec, reference, wanted, store, say)
    if how.load:
        say("loading")
        delivery.load(store, str(reference), entry)
    return str(reference), entry


def _shrinkwrap(one: "StackFunction") -> str:
    import shutil

    from dayfly.client.assembly import assemble

    target = Path("build") / one.spec.name
    if target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(exist_ok=True)
    source = one.source
    assemble(source.template, source.folder, source.copies, target, source.allowed)
    click.echo(f"{one.spec.name} shrink-wrapped to ./{target}/")
    return one.spec.name


def _write(images: "dict[str, Descriptor]", target: Path) -> None:
    from dayfly.client.image import delivery

    if not images:
        raise InvalidRequest("--output writes images that are built without an engine, and there is none among these.")
    delivery.deliver(_store(), images, target)
    click.echo(f"Wrote {len(images)} image{'s' if len(images) > 1 else ''} to {target}")


def _store() -> "Layout":
    from dayfly.client.image.store import image_store

    return image_store()


def _part(given: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {name: given[name] for name in kind.__struct_fields__}
