"""`dayfly publish`: build for platforms and push, with the options of both; here, or by a builder elsewhere."""

from typing import Any

import click
import msgspec

from dayfly.cli.build import command as build
from dayfly.cli.push import command as push
from dayfly.cli.remote_build import Remote, build_remotely, remote_options
from dayfly.cli.terminal import warn


class _Publish(click.Command):
    """Takes what building and pushing take; of options that both have, building's words are shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = {param.name for param in self.params}
        self.params += {param.name: param for param in (*push.params, *build.params) if param.name not in own}.values()


@click.command("publish", cls=_Publish)
@click.option(
    "--platforms", default="linux/amd64", show_default=True, metavar="LIST", help="Such as linux/amd64,linux/arm64."
)
@click.option("--reset-qemu", is_flag=True, help="Needless here: nothing of another processor's is run.")
@remote_options
@click.pass_context
def command(context: click.Context, /, reset_qemu: bool, **given: Any) -> None:
    """Build functions' images for platforms and push them.

    An image for several platforms is an index, pushed after all of its images. Nothing of another processor's is run:
    packages are fetched for each platform. Functions with a Dockerfile can be published for this machine's alone.

    With --remote-builder the sources are looked through for credentials, signed and sent, and built and pushed there.

    \b
    Examples:
      dayfly publish --platforms linux/amd64,linux/arm64
      dayfly publish -f stack.yaml --filter 'mail-*' --tag sha --extra-tag latest
      dayfly publish --remote-builder https://builder.example.com --payload-secret payload-secret
    """
    if reset_qemu:
        warn("--reset-qemu is not needed: nothing of another processor's is run.")
    remote = msgspec.convert({name: given[name] for name in Remote.__struct_fields__}, Remote)
    if remote.remote_builder and not given["shrinkwrap"]:
        build_remotely(remote, given)
        return
    _run(context, build, given)
    if not given["shrinkwrap"]:
        _run(context, push, given)


def _run(context: click.Context, part: click.Command, given: dict[str, Any]) -> None:
    context.invoke(part, **{str(param.name): given[str(param.name)] for param in part.params})
