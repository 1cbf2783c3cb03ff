"""`dayfly query`: ask what the platform knows in SQL, keep queries, export what they find."""

import sys
from typing import TYPE_CHECKING, Any

import click

from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, output_option
from dayfly.cli.output import columns, show
from dayfly.cli.query_output import ask_options, deliver, form_of
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.query import SavedQuery, TableInfo


class _Questions(Group):
    """A group in which whatever is no subcommand is a query."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `dayfly query SQL` for `dayfly query ask SQL`."""
        if args and args[0] not in ("--help", "-h") and self.get_command(ctx, args[0]) is None:
            args = ["ask", *args]
        return super().parse_args(ctx, args)


@click.group("query", cls=_Questions, aliases={"describe": "show", "inspect": "show"})
def command() -> None:
    """Ask what the platform knows, in SQL that only reads.

    The tables are calls, logs, use, functions, replicas and more, as far as the login sees them; `dayfly query tables`
    lists them. `dayfly query SQL` is short for `dayfly query ask SQL`.

    \b
    Examples:
      dayfly query "select function, count(*) from calls where error <> '' group by 1"
      dayfly query "select * from calls" --file calls.xlsx
      dayfly query run slowest-functions
    """


@command.command("ask")
@click.argument("sql")
@click.option("--save", default="", metavar="NAME", help="Keep the query under this name, once it was answered.")
@click.option("--note", default="", metavar="TEXT", help="What a query that is kept is for.")
@ask_options
@gateway_option
def ask(sql: str, save: str, note: str, gateway: str, **how: Any) -> None:
    """Ask a query; - reads it from standard input.

    \b
    Examples:
      dayfly query ask "select namespace, name, state from functions"
      dayfly query ask - -o csv < report.sql > report.csv
      dayfly query "select id, total_ms from calls order by 2 desc" --limit 10 --save slow --note "the ten slowest"
    """
    text = sys.stdin.read() if sql == "-" else sql
    form = form_of(**how)
    with connect(gateway) as client:
        deliver(client, form, sql=text)
        if save:
            with Progress("saving the query"):
                client.save_query(save, text, note=note)


@command.command("run")
@click.argument("name")
@ask_options
@gateway_option
def run(name: str, gateway: str, **how: Any) -> None:
    """Ask a saved query.

    \b
    Examples:
      dayfly query run errors-by-day
      dayfly query run cost-by-function --file cost.xlsx
    """
    form = form_of(**how)
    with connect(gateway) as client:
        if form.name != "table":
            deliver(client, form, saved=name)
            return
        with Progress("asking the gateway"):
            saved = client.get_query(name)
        deliver(client, form, sql=saved.sql)


@command.command("list")
@gateway_option
@output_option
def list_(gateway: str, output: str) -> None:
    """List saved queries, and those that came with Dayfly.

    \b
    Examples:
      dayfly query list
      dayfly query list -o json
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_queries()
    show(found, output, table=lambda: _table(found), names=lambda: [each.name for each in found])


@command.command("show")
@click.argument("name")
@gateway_option
def show_(name: str, gateway: str) -> None:
    """Print what a saved query asks.

    \b
    Examples:
      dayfly query show slowest-functions
      dayfly query show slowest-functions > mine.sql
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        saved = client.get_query(name)
    click.echo(saved.sql)


@command.command("remove")
@click.argument("name")
@gateway_option
def remove(name: str, gateway: str) -> None:
    """Forget a saved query.

    \b
    Examples:
      dayfly query remove slow
    """
    with connect(gateway) as client, Progress("removing the query"):
        client.remove_query(name)
    click.echo(f"Removed: {name}")


@command.command("tables")
@click.argument("name", required=False, default="")
@gateway_option
@output_option
def tables(name: str, gateway: str, output: str) -> None:
    """List the tables that can be asked, or one with its columns.

    \b
    Examples:
      dayfly query tables
      dayfly query tables calls
    """
    from dayfly.model.errors import NotFound

    with connect(gateway) as client, Progress("asking the gateway"):
        found = client.list_query_tables()
    found = [each for each in found if name in ("", each.name)]
    if not found:
        raise NotFound(f"There is no table {name}.", hint="`dayfly query tables` lists them.")
    show(found, output, table=lambda: _columns(found, name), names=lambda: [each.name for each in found])


def _table(found: "list[SavedQuery]") -> str:
    rows = [(each.name, "Dayfly" if each.ready_made else each.namespace or "all", each.note) for each in found]
    return columns([("NAME", "OF", "NOTE"), *rows], (0, 0, 0))


def _columns(found: "list[TableInfo]", name: str) -> str:
    if not name:
        rows = [(each.name, each.about, ", ".join(column.name for column in each.columns)) for each in found]
        return "\n".join(f"{table}: {about}\n  {names}" for table, about, names in rows)
    return columns(
        [("COLUMN", "TYPE", "WHAT"), *((each.name, each.type, each.about) for each in found[0].columns)], (0, 0, 0)
    )
