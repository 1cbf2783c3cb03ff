"""`dayfly images`: the platform itself as an image, for a cluster."""

from pathlib import Path

import click

from dayfly.cli.terminal import Progress


@click.group("images")
def command() -> None:
    """Build the image that Dayfly runs as in a Kubernetes cluster.

    \b
    Examples:
      dayfly images build --base python:3.12-slim --output dayfly.tar
    """


@command.command("build")
@click.option("--base", required=True, metavar="IMAGE", help="With a Python: a name, a .tar, an OCI layout.")
@click.option("--name", default="", metavar="NAME", help="What it is called.  [default: dayfly/dayfly:VERSION]")
@click.option("--output", metavar="FILE", help="A .tar that ctr, docker and podman take, or a folder for a layout.")
@click.option("--platforms", default="", metavar="LIST", help="linux/amd64,linux/arm64.  [default: this machine's]")
@click.option("--pull", is_flag=True, help="Ask the registry for the base even if it is here.")
@click.option("--push", is_flag=True, help="Send it to the registry that its name says.")
def build(base: str, name: str, output: str | None, platforms: str, pull: bool, push: bool) -> None:
    """Build the platform's image from a base and what is installed here.

    It is control plane, gateway, queue and runtime pod in one, and takes no container engine. Without a registry, hand
    the file to each node of the cluster.

    \b
    Examples:
      dayfly images build --base python:3.12-slim --output dayfly.tar
      ctr -n k8s.io images import dayfly.tar
      dayfly images build --base python:3.12-slim --name registry.example.com/dayfly:1 --push
    """
    from dayfly import __version__
    from dayfly.client.image.delivery import deliver
    from dayfly.client.image.itself import build_itself
    from dayfly.client.image.store import image_store
    from dayfly.oci.platform import parse_platform
    from dayfly.oci.reference import parse_reference

    reference = parse_reference(name or f"dayfly/dayfly:{__version__}")
    store, wanted = image_store(), [parse_platform(each) for each in platforms.split(",") if each]
    with Progress("Building the image") as progress:
        image = build_itself(reference, base, wanted, store, fresh=pull, say=progress.show)
        if output:
            deliver(store, {str(reference): image}, Path(output))
        if push:
            from dayfly.client.image.publishing import How, publish

            publish(reference, store, How(), say=progress.show)
    click.echo(f"built {reference.familiar} {image.digest}")
    if output:
        click.echo(f"written to {output}")
