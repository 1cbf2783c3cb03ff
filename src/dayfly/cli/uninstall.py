"""`dayfly uninstall`: the platform out of a Kubernetes cluster, and as much with it as is said."""

import sys

import click

from dayfly.cli.terminal import Progress, warn


@click.command("uninstall")
@click.option("-n", "--namespace", default="dayfly", show_default=True, metavar="NAME", help="Where the platform is.")
@click.option("--functions/--keep-functions", default=None, help="Remove the functions, or keep them.")
@click.option("--data/--keep-data", default=None, help="Remove queued calls and functions' code, or keep them.")
@click.option("--kinds/--keep-kinds", default=None, help="Remove the kinds of dayfly.dev, or keep them.")
@click.option("--everything", is_flag=True, help="Remove all three: nothing is left.")
@click.option("--context", default="", metavar="NAME", help="kubectl's context.  [default: its own]")
def command(
    namespace: str, functions: bool | None, data: bool | None, kinds: bool | None, everything: bool, context: str
) -> None:
    """Remove the platform from a Kubernetes cluster.

    On a terminal it asks what of the rest goes too; elsewhere what is not named is kept. What is kept is found again by
    the next installation.

    \b
    Examples:
      dayfly uninstall
      dayfly uninstall --everything
      dayfly uninstall --keep-functions --keep-data --keep-kinds
    """
    from dayfly.server.cluster.install import applying, removing
    from dayfly.server.cluster.install.kubectl import Kubectl

    kubectl = Kubectl.find(context)
    applying.look(kubectl, namespace)
    there = removing.look(kubectl, namespace)
    count, names = sum(there.functions.values()), ", ".join(there.functions)
    places = f" in {names}" if names else ""
    gone, unknown = False, False
    if there.others:
        others = ", ".join(there.others)
        warn(f"Functions and the kinds of dayfly.dev are kept: the installation in {others} has them, too.")
    else:
        gone = everything or _decide(functions, f"Remove the {count} functions{places}, with their secrets?")
        all_of_them = "Remove the kinds of dayfly.dev, and every object of theirs in the cluster?"
        unknown = everything or (gone and _decide(kinds, all_of_them))
    lost = everything or _decide(data, "Remove queued calls and functions' code?")
    what = removing.What(functions=gone, data=lost, kinds=unknown)
    with Progress("Removing") as progress:
        stay = removing.remove(kubectl, there, what, progress.show)
    for space, found in stay.items():
        warn(f"The namespace {space} is kept: somebody else has {', '.join(found)} there.")
    click.echo(f"Dayfly is gone from the namespace {namespace}.")
    kept = [name for name, is_gone in (("functions", gone), ("data", lost), ("kinds", unknown)) if not is_gone]
    if kept:
        click.echo(f"Kept: {', '.join(kept)}.")


def _decide(said: bool | None, question: str) -> bool:
    if said is not None:
        return said
    return click.confirm(question, default=False) if sys.stdin.isatty() else False
