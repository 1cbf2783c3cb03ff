"""`dayfly generate`: functions as Kubernetes objects, for those who keep such files."""

import os
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dayfly.cli.options import Pair
from dayfly.cli.selection import Selection, stack_options, tag_option
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.stack_function import StackFunction


@click.command("generate")
@stack_options
@tag_option
@click.option("--api", default="openfaas.com/v1", show_default=True, help="Or serving.knative.dev/v1.")
@click.option("-n", "--namespace", default="", metavar="NAME", help="The namespace.  [default: the function's own]")
@click.option("--from-store", metavar="NAME", help="A function of the store, instead of a stack file.")
@click.option("--url", "-u", default="", metavar="URL", help="The store's list.  [default: OPENFAAS_STORE; ours]")
@click.option("--arch", default="x86_64", show_default=True, help="The machine that the store's image is for.")
@click.option("--name", default="", help="What the store's function is to be called.")
@click.option("--annotation", type=Pair(), multiple=True, help="An annotation for the store's function; repeatable.")
@click.option("-l", "--label", type=Pair(), multiple=True, help="A label for the store's function; repeatable.")
def command(
    api: str,
    namespace: str,
    from_store: str | None,
    url: str,
    arch: str,
    name: str,
    annotation: tuple[tuple[str, str], ...],
    label: tuple[tuple[str, str], ...],
    **given: Any,
) -> None:
    """Print functions as Kubernetes objects.

    They are OpenFaaS's own kind, Function, or a Service of Knative's. The images must be where the cluster finds them.

    \b
    Examples:
      dayfly generate -f stack.yaml > functions.yaml
      dayfly generate --api serving.knative.dev/v1 --tag sha
      dayfly generate --from-store figlet
    """
    from dayfly.client.kubernetes_yaml import objects_yaml

    selection = msgspec.convert(given, Selection)
    if not from_store:
        if label or annotation or name:
            raise InvalidRequest("--label, --annotation and --name are for --from-store; a stack file says them.")
        functions = selection.functions(selection.require())
    elif selection.tag == "digest":
        raise InvalidRequest("digest tag format is not supported for store functions")
    else:
        functions = [_of_the_store(from_store, url, arch, name, dict(annotation), dict(label))]
    click.echo(objects_yaml(functions, api, namespace), nl=False)


def _of_the_store(
    wanted: str, url: str, arch: str, name: str, annotations: dict[str, str], labels: dict[str, str]
) -> "StackFunction":
    """Raises NotFound, and what reading a store's list raises."""
    from dayfly.client.stack_function import image_function
    from dayfly.client.store import deployment_of, find_function, functions_at

    found = find_function(functions_at(url or os.environ.get("OPENFAAS_STORE", "")), wanted, arch)
    spec = deployment_of(found, arch, name)
    process = {"fprocess": spec.process} if spec.process else {}
    spec = msgspec.structs.replace(
        spec,
        env={**process, **spec.env},
        labels={**spec.labels, **labels},
        annotations={**spec.annotations, **annotations},
    )
    return msgspec.structs.replace(image_function(spec.name, spec.image), spec=spec)
