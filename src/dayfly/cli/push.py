"""`dayfly push`: built images to their registries, with faas-cli's options and texts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dayfly.cli.options import allow_secret_option
from dayfly.cli.selection import Selection, stack_options, tag_option
from dayfly.cli.terminal import Progress, neutralise, warn
from dayfly.cli.workers import each, parallel_option
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.stack_function import StackFunction


class _Source(Selection, frozen=True, kw_only=True):
    """Which images are meant."""

    name: str
    image: str
    handler: str | None


@click.command("push")
@click.argument("name", default="")
@stack_options
@tag_option
@parallel_option
@click.option("--image", default="", help="One image by its name, in place of a stack file's.")
@click.option("--handler", metavar="DIR", help="The folder of the image's code, for --image with --tag digest.")
@click.option("--extra-tag", multiple=True, metavar="TAG", help="Another tag for the same image.")
@click.option("--insecure", is_flag=True, help="Do without checked certificates, and without TLS where there is none.")
@click.option("--sign-key", type=click.Path(path_type=Path), metavar="FILE", help="Sign the image with this key.")
@click.option(
    "--sbom/--no-sbom", default=True, show_default=True, help="Let a list of what is in it go with the image."
)
@allow_secret_option
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(
    parallel: int,
    extra_tag: tuple[str, ...],
    insecure: bool,
    sign_key: Path | None,
    sbom: bool,
    allow_secret: tuple[str, ...],
    quiet: bool,
    **given: Any,
) -> None:
    """Push functions' images to their registries.

    They are those that `dayfly build` made, or that Docker, Podman or buildah has. What a registry has already is not
    sent again, and an upload that breaks off goes on. Logins are Docker's and Podman's: `dayfly registry-login --save`
    makes one too. Registries on this machine may be spoken to without TLS, others not.

    An image is looked through for credentials before it leaves. A bill of materials goes with it, and a signature with
    --sign-key.

    \b
    Examples:
      dayfly push
      dayfly push -f stack.yaml --filter 'mail-*' --parallel 4 --tag sha
      dayfly push --image registry.example.com/team/hello:1 --extra-tag latest
      dayfly push --sign-key release.key
    """
    from dayfly.client.image.publishing import How
    from dayfly.oci.gate import make_gate
    from dayfly.oci.scan import Allowance
    from dayfly.oci.signing_key import load_signing_key

    gate = make_gate(
        allowed=tuple(map(Allowance.parse, allow_secret)),
        key=load_signing_key(sign_key) if sign_key is not None else None,
        with_bill=sbom,
        told=warn,
    )
    how = How(extra_tags=extra_tag, insecure=insecure, gate=gate)
    images = _images(msgspec.convert({name: given[name] for name in _Source.__struct_fields__}, _Source))
    each(
        images,
        lambda one: _push(one, how, quiet=quiet),
        name=lambda one: one.label,
        failed="to be pushed",
        parallel=parallel,
        doing="Pushing",
        is_timed=False,
    )


class _Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image to push."""

    function: str
    name: str
    has_dockerfile: bool = False

    @property
    def label(self) -> str:
        """What it is called while it is pushed."""
        return f"{self.function} [{self.name}]" if self.function else f"[{self.name}]"


def _images(source: _Source) -> list[_Image]:
    """Raises InvalidRequest for names that say no registry and no account."""
    if source.image:
        from dayfly.client.image_tag import tagged

        image = tagged(source.image, source.tag, Path(source.handler or "."))
        images = [_Image(function=source.name, name=image)]
    else:
        functions = source.functions(source.require(), source.name)
        for one in functions:
            if _is_elsewhere(one):
                click.echo(f"Skipping {one.spec.name}")
        images = [_image(one) for one in functions if not _is_elsewhere(one)]
    if nowhere := [one.function or one.name for one in images if "/" not in one.name]:
        raise InvalidRequest(
            "Unable to push one or more of your functions to Docker Hub:\n- " + "\n- ".join(nowhere),
            hint="You must provide a username or registry prefix to the Function's image such as user1/function1",
        )
    return images


def _is_elsewhere(one: "StackFunction") -> bool:
    """Whether its image is made by others."""
    return one.has_image or one.skip_build


def _image(one: "StackFunction") -> _Image:
    is_dockerfile = one.template.runtime == "image"
    return _Image(function=one.spec.name, name=one.spec.image or one.spec.name, has_dockerfile=is_dockerfile)


def _push(one: _Image, how: Any, *, quiet: bool) -> bool:
    from dayfly.client.image.publishing import publish
    from dayfly.client.image.store import image_store
    from dayfly.oci.reference import parse_reference

    with Progress() as progress:

        def say(what: str) -> None:
            if not quiet:
                progress.show(f"{one.label}: {what}")

        done = publish(parse_reference(one.name), image_store(), how, engine_first=one.has_dockerfile, say=say)
    if not quiet:
        click.echo("".join(f"{neutralise(name)}: {done.descriptor.digest}\n" for name in done.names), nl=False)
    return True
