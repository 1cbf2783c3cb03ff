"""`dayfly budget`: what functions and namespaces may use in a day or a month."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dayfly.cli.group import Group
from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.removal import remove_each
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.budget import BudgetStatus


@click.group("budget", cls=Group, aliases={"show": "list"})
def command() -> None:
    """List and set what functions may use in a day or a month.

    A budget counts calls, seconds of processor time (cpu_seconds) and memory over time (gib_seconds, a GiB of resident
    memory for a second), by the day or the month of the calendar, in UTC. At 75 and 90 % the platform's log warns; once
    it is used up, calls are answered with 429 and queued calls wait, until the period ends or it is raised. Whatever
    bounds a function holds: its annotations, those of its namespace, and budgets of either.

    \b
    Examples:
      dayfly budget list
      dayfly budget set hello calls=10000/day
      dayfly budget put everything calls=1000000/month
    """


@command.command("list")
@namespace_option
@gateway_option
@output_option
def list_(namespace: str, gateway: str, output: str) -> None:
    """List the budgets of a namespace and of its functions, and how far they are used.

    \b
    Examples:
      dayfly budget list
      dayfly budget list --namespace team-a -o json
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_budgets(namespace)
    show(found, output, table=lambda: _table(found), names=lambda: [each.function or each.namespace for each in found])


@command.command("set")
@function_argument
@click.argument("budget", nargs=-1, required=True, metavar="NAME=AMOUNT/PERIOD...")
@namespace_option
@gateway_option
def set_(name: str, budget: tuple[str, ...], namespace: str, gateway: str) -> None:
    """Change a function's budget.

    It holds at once. It is kept as the budget of the function's name, which takes over what the function's annotations
    com.dayfly.budget.* say; what is deployed with such annotations again is bounded by both. What is not named stays;
    NAME=none takes away.

    \b
    Examples:
      dayfly budget set hello calls=10000/day calls=200000/month
      dayfly budget set hello cpu_seconds=3600/month gib_seconds=20000/month
      dayfly budget set hello calls=none
    """
    with connect(gateway) as client, Progress("changing the budget"):
        status = client.set_budget(name, budget, namespace=namespace)
    from dayfly.model.allowance import amount_text

    text = ", ".join(f"{each.measure} {amount_text(each.amount)}/{each.period}" for each in status.budgets) or "none"
    click.echo(f"Budget of {status.spec.name}: {text}")


@command.command("put")
@click.argument("name")
@click.argument("budget", nargs=-1, required=True, metavar="NAME=AMOUNT/PERIOD...")
@click.option("--function", default="", help="The function that it bounds; all of the namespace together without one.")
@namespace_option
@gateway_option
def put(name: str, budget: tuple[str, ...], function: str, namespace: str, gateway: str) -> None:
    """Make a budget, or change it, of a function or of all of the namespace.

    What is not named stays; NAME=none takes away. One of all of the namespace is the installation's administrator's to
    write; it holds beside what `dayfly namespace update --budget` sets.

    \b
    Examples:
      dayfly budget put everything calls=1000000/month gib_seconds=500000/month --namespace team-a
      dayfly budget put trial calls=100/day --function hello
    """
    from dayfly.model.allowance import Allowances
    from dayfly.model.budget import BudgetSpec
    from dayfly.model.errors import NotFound

    Allowances().changed(budget)  # a mistake is told before anything is asked
    with connect(gateway) as client, Progress("writing the budget"):
        try:
            known = client.get_budget(name, namespace=namespace).spec
            stated = known.allowances if known.function == function else Allowances()
        except NotFound:
            stated = Allowances()
        wanted = BudgetSpec.of(stated.changed(budget).all, name, namespace or client.namespace, function)
        standing = client.put_budget(wanted)
    click.echo(f"Budget {name} of {function or 'the namespace'}: {standing.spec.allowances.text}")


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@namespace_option
@gateway_option
def remove(names: tuple[str, ...], namespace: str, gateway: str) -> None:
    """Remove budgets. What annotations of a function or namespace say stays.

    \b
    Examples:
      dayfly budget remove trial
    """
    remove_each(gateway, "budget", names, lambda client, name: client.remove_budget(name, namespace=namespace))


def budget_text(status: "BudgetStatus") -> str:
    """Return one allowance in words."""
    from dayfly.model.allowance import amount_text

    ends = datetime.fromtimestamp(status.ends_unix_ms / 1000, UTC)
    used, amount = amount_text(status.used), amount_text(status.amount)
    text = f"{status.measure}: {used} of {amount} a {status.period} ({100 * status.share:.0f} %)"
    text += f", by the budget {status.budget}" if status.budget else ""
    return f"{text}, refused until {ends:%Y-%m-%d %H:%M} UTC" if status.state == "used up" else text


def _table(found: "list[BudgetStatus]") -> str:
    if not found:
        return "No budgets. `dayfly budget set NAME calls=10000/day` sets one."
    from dayfly.model.allowance import amount_text

    rows = [
        (
            each.function or f"(namespace {each.namespace})",
            f"{each.measure} a {each.period}",
            amount_text(each.used),
            amount_text(each.amount),
            f"{100 * each.share:.0f} %",
            each.state,
            each.budget or "(annotation)",
        )
        for each in found
    ]
    return columns([("FUNCTION", "BUDGET", "USED", "OF", "SHARE", "STATE", "BY"), *rows], (0,) * 7)
