"""`dayfly budget`: what functions and namespaces may use in a day or a month."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dayfly.cli.group import Group
from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.budget import BudgetStatus


@click.group("budget", cls=Group, aliases={"show": "list"})
def command() -> None:
    """List and set what functions may use in a day or a month.

    A budget counts calls, seconds of processor time (cpu_seconds) and memory over time (gib_seconds, a GiB of resident
    memory for a second), by the day or the month of the calendar, in UTC. At 75 and 90 % the platform's log warns; once
    it is used up, calls are answered with 429 and queued calls wait, until the period ends or it is raised. A namespace
    has one too: `dayfly namespace update NAME --budget LIST`.

    \b
    Examples:
      dayfly budget list
      dayfly budget set hello calls=10000/day
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

    It holds at once, and becomes a revision of the function: its annotations com.dayfly.budget.* in a stack file say
    the same. What is not named stays; NAME=none takes away.

    \b
    Examples:
      dayfly budget set hello calls=10000/day calls=200000/month
      dayfly budget set hello cpu_seconds=3600/month gib_seconds=20000/month
      dayfly budget set hello calls=none
    """
    with connect(gateway) as client, Progress("changing the budget"):
        status = client.set_budget(name, budget, namespace=namespace)
    text = ", ".join(f"{each.measure} {amount_text(each.amount)}/{each.period}" for each in status.budgets) or "none"
    click.echo(f"Budget of {status.spec.name}: {text}")


def budget_text(status: "BudgetStatus") -> str:
    """Return one allowance in words."""
    share = 100 * status.used / status.amount if status.amount else 100.0
    ends = datetime.fromtimestamp(status.ends_unix_ms / 1000, UTC)
    used, amount = amount_text(status.used), amount_text(status.amount)
    text = f"{status.measure}: {used} of {amount} a {status.period} ({share:.0f} %)"
    return f"{text}, refused until {ends:%Y-%m-%d %H:%M} UTC" if status.state == "used up" else text


def amount_text(amount: float) -> str:
    """Return an amount, with what of it is not whole to the hundredth."""
    return f"{amount:.2f}".rstrip("0").rstrip(".")


def _table(found: "list[BudgetStatus]") -> str:
    if not found:
        return "No budgets. `dayfly budget set NAME calls=10000/day` sets one."
    rows = [
        (
            each.function or f"(namespace {each.namespace})",
            f"{each.measure} a {each.period}",
            amount_text(each.used),
            amount_text(each.amount),
            f"{100 * each.used / each.amount:.0f} %" if each.amount else "100 %",
            each.state,
        )
        for each in found
    ]
    return columns([("FUNCTION", "BUDGET", "USED", "OF", "SHARE", "STATE"), *rows], (0,) * 6)
