"""Having functions built by a builder elsewhere: `--remote-builder`, with faas-cli's options, variables and texts."""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from dayfly.cli.build_source import Additions, BuildSource
from dayfly.cli.secret_content import read_file
from dayfly.cli.session import current_session
from dayfly.cli.terminal import Progress, for_stdout, neutralise
from dayfly.cli.workers import each
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.remote_builder import RemoteBuilder
    from dayfly.client.stack_function import StackFunction

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--remote-builder", default="", metavar="URL", envvar="OPENFAAS_REMOTE_BUILDER",
        help="Have a builder there build and push: OpenFaaS's, or a Dayfly.  [default: OPENFAAS_REMOTE_BUILDER]",
    ),
    click.option(
        "--payload-secret", default="", metavar="FILE", envvar="OPENFAAS_PAYLOAD_SECRET",
        help="What sources for a builder are signed with.  [default: OPENFAAS_PAYLOAD_SECRET]",
    ),
    click.option(
        "--builder-public-key", default="", metavar="KEY|FILE", envvar="OPENFAAS_BUILDER_PUBLIC_KEY",
        help="What build secrets are sealed for.  [default: OPENFAAS_BUILDER_PUBLIC_KEY; the builder is asked]",
    ),
)  # fmt: skip
_HERE_ALONE = {
    "base": "--base", "build_label": "--build-label", "target": "--output", "load": "--load", "pull": "--pull",
    "no_cache": "--no-cache", "extra_tag": "--extra-tag", "sign_key": "--sign-key", "insecure": "--insecure",
}  # fmt: skip
"""Options that say how images are built and pushed here, which a builder is not told."""

_PLATFORM = "linux/amd64"
"""What a builder is asked for where nobody says it, as by faas-cli: this machine's need not be the one it runs on."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """The builder that is meant."""

    remote_builder: str
    """Its URL; empty for none."""
    payload_secret: str
    builder_public_key: str


def remote_options(command: F) -> F:
    """Add the options whose values `Remote` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def build_remotely(remote: Remote, given: Mapping[str, Any]) -> None:
    """Have functions built, as the options of `dayfly build` and `dayfly push` say, and tell how it goes.

    Raises InvalidRequest for options that go with images of this machine alone, and what building raises.
    """
    from dayfly.client.remote_builder import RemoteBuilder, builder_at

    if ours := [option for name, option in _HERE_ALONE.items() if given.get(name)]:
        hint = "Leave them out, or build here, without --remote-builder."
        raise InvalidRequest(f"{', '.join(ours)}: a builder elsewhere is not told how images are made here.", hint=hint)
    source = msgspec.convert({name: given[name] for name in BuildSource.__struct_fields__}, BuildSource)
    typed = msgspec.convert({name: given[name] for name in Additions.__struct_fields__}, Additions)
    functions = source.find(typed)
    began = time.monotonic()
    for one in functions:
        if one.skip_build:
            click.echo(f"Skipping build of: {one.spec.name}.")
    session = current_session()
    target, secret = session.prepare(builder_at(remote.remote_builder)), _secret(remote.payload_secret)
    with RemoteBuilder(target, secret, session.transport) as builder:
        each(
            [one for one in functions if not one.skip_build],
            lambda one: _build(one, builder, remote, given),
            name=lambda one: one.spec.name,
            failed="to build",
            parallel=given["parallel"],
            doing="Building",
        )
    click.echo(f"\nTotal build time: {time.monotonic() - began:.2f}s")


def _secret(path: str) -> bytes:
    if not path:
        hint = "Of a Dayfly: dayfly builder secret > payload-secret"
        raise InvalidRequest("--remote-builder takes --payload-secret FILE, which sources are signed with.", hint=hint)
    secret = read_file(Path(path)).strip()
    if not secret:
        raise InvalidRequest(f"{path} is empty; it should hold the builder's payload secret.")
    return secret


def _build(one: "StackFunction", builder: "RemoteBuilder", remote: Remote, given: Mapping[str, Any]) -> str:
    from dayfly.client.remote_builder import read_public_key
    from dayfly.client.remote_sources import write_sources
    from dayfly.oci.platform import parse_platforms
    from dayfly.oci.sealing import seal

    def sealed(values: Mapping[str, bytes]) -> bytes:
        named = remote.builder_public_key
        return seal(read_public_key(named) if named else builder.public_key(), values)

    name, image, quiet = one.spec.name, neutralise(one.spec.image), given["quiet"]
    platforms = [str(platform) for platform in parse_platforms(given["platforms"] or _PLATFORM)]
    if not quiet:
        click.echo(f"Building: {image} with {one.template.name} template. Please wait..")
    with tempfile.TemporaryDirectory(prefix="dayfly-sources-") as folder, Progress(f"{name}: packing") as progress:
        archive = write_sources(one, Path(folder), platforms, sealed)
        progress.show(f"{name}: {archive.stat().st_size // 1024} KiB on their way to the builder")
        for text in builder.build(archive):
            if not quiet:
                with progress.above():
                    click.echo(for_stdout(text.rstrip("\n")))
            progress.show(f"{name}: building")
    click.echo(f"Image: {image} built.")
    return one.spec.image
