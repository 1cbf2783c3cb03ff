"""`dayfly install`: the platform in a Kubernetes cluster."""

from typing import TYPE_CHECKING, Any

import click

from dayfly.cli.options import Pair
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import ConfigError
from dayfly.model.quantities import parse_duration

if TYPE_CHECKING:
    from dayfly.server.cluster.install.values import Values


@click.command("install")
@click.option("-n", "--namespace", metavar="NAME", help="Where the platform goes.  [default: dayfly]")
@click.option("--values", "files", multiple=True, metavar="FILE", help="What to make of it; later ones count more.")
@click.option(
    "--set", "settings", type=Pair(), multiple=True, metavar="NAME=VALUE", help="One value: gateway.replicas=3."
)
@click.option("--dry-run", is_flag=True, help="Print the manifests, and ask no cluster.")
@click.option("--context", default="", metavar="NAME", help="kubectl's context.  [default: its own]")
@click.option("--wait/--no-wait", "is_waiting", default=True, help="Wait until it is up.  [default: wait]")
@click.option("--timeout", default="5m", show_default=True, metavar="SPAN", help="How long to wait.")
def command(
    namespace: str | None,
    files: tuple[str, ...],
    settings: tuple[tuple[str, str], ...],
    dry_run: bool,
    context: str,
    is_waiting: bool,
    timeout: str,
) -> None:
    """Install the platform in a Kubernetes cluster, or change what is installed.

    Your own kubectl applies it, with your rights. What may be said in a file of values is in docs/kubernetes.md.
    Passwords are made at the first installation and kept from then on.

    \b
    Examples:
      dayfly install
      dayfly install --values cluster.yaml --set gateway.replicas=3
      dayfly install --dry-run > dayfly.yaml
    """
    from dayfly.cluster.schema import crds
    from dayfly.server.cluster.install import applying
    from dayfly.server.cluster.install.kubectl import Kubectl
    from dayfly.server.cluster.install.volumes import check_volumes

    timeout_s = parse_duration(timeout)
    values = _values(namespace, files, settings)
    if dry_run:
        _print(applying.wanted(values, applying.NOTHING, crds()))
        return
    kubectl = Kubectl.find(context)
    if odd := applying.check_versions(kubectl.versions()):
        warn(odd)
    with Progress("Looking at the cluster") as progress:
        found = applying.look(kubectl, values.namespace)
        applying.check_alone(kubectl, values.namespace)
        nodes = applying.wanted(values, found, crds())
        check_volumes(kubectl, nodes)
        progress.show(f"applying {len(nodes)} objects")
        others = applying.install(kubectl, values, nodes, crds())
        if is_waiting:
            applying.wait(kubectl, values, timeout_s, progress.show)
    if others:
        verb = "was" if len(others) == 1 else "were"
        warn(f"{', '.join(others)} {verb} there before, so labels and Pod Security level are as they were.")
    _say_how_to_log_in(values, is_there=found.is_there, is_up=is_waiting)


def _values(namespace: str | None, files: tuple[str, ...], settings: tuple[tuple[str, str], ...]) -> "Values":
    from dayfly.client import yaml_text
    from dayfly.server.cluster.install.given import merged, placed
    from dayfly.server.cluster.install.values import decode

    given: Any = {}
    for name in files:
        try:
            with open(name, encoding="utf-8") as file:
                given = merged(given, yaml_text.load(file.read()) or {})
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    for path, text in settings:
        given = merged(given, placed(path, text))
    return decode(merged(given, {"namespace": namespace}) if namespace else given)


def _print(nodes: list[Any]) -> None:
    from dayfly.server.cluster.install.template import document

    click.echo("".join(document(node) for node in nodes), nl=False)


def _say_how_to_log_in(values: "Values", *, is_there: bool, is_up: bool) -> None:
    done = "changed" if is_there else "installed"
    click.echo(f"Dayfly is {done} in the namespace {values.namespace}{'' if is_up else ', and on its way up'}.")
    where = "" if values.namespace == "dayfly" else f" --namespace {values.namespace}"
    click.echo(f"Log in with your own rights in the cluster: dayfly login --kubernetes{where}")
    if values.ingress.enabled:
        scheme = "https" if values.ingress.tls_secret else "http"
        click.echo(f"From outside it is at {scheme}://{values.ingress.host}")
