"""`dayfly list --follow`: the functions, and what changes in them, as the platform tells it.

On a terminal the table stays where it is, until q or Ctrl-C is pressed. Anywhere else each function that changes is a
line, and with --output json what is new is, as the API has it.
"""

import contextlib
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from dayfly.cli.metrics import bars
from dayfly.cli.output import columns
from dayfly.cli.terminal import for_stdout
from dayfly.model.errors import DayflyError

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.model.glance import Glance, GlanceNews

_HEAD = ("FUNCTION", "STATE", "READY", "CALLS", "ERRORS", "LAST HALF HOUR", "REASON")
_WIDTHS = (24, 10, 6, 9, 6, 30, 6)
_LOOK_S = 0.5


def follow(client: "Client", namespace: str, sort: str, output: str) -> None:
    """Show the functions of a namespace until the reader has enough. Raises what `follow_functions` does."""
    where = namespace or client.namespace
    with contextlib.suppress(KeyboardInterrupt):
        if output == "json":
            for news in client.follow_functions(where):
                click.echo(msgspec.json.encode(news).decode())
        elif sys.stdout.isatty():
            _draw(f"{client.url}  {where}", client.follow_functions(where), sort)
        else:
            _print(client.follow_functions(where))


def _print(stream: "Iterable[GlanceNews]") -> None:
    head: list[Sequence[str]] = [_HEAD]
    for news in stream:
        gone = [(name, "gone", *[""] * 5) for _, name in news.gone]
        for row in (*head, *map(_row, news.functions), *gone):
            click.echo(for_stdout(columns([row], _WIDTHS)), color=True)
        head = []


def _draw(where: str, stream: "Iterator[GlanceNews]", sort: str) -> None:
    from dayfly.cli.live import Live

    news = _News(stream)
    with Live() as live:
        while live.wait(_LOOK_S) != "quit":
            known = news.look()
            live.draw([f"{where}  {len(known)} functions  q ends it", "", *table(known, sort).split("\n")])


class _News:
    """What was told up to now, read by a thread of its own."""

    def __init__(self, stream: "Iterator[GlanceNews]") -> None:
        self._known: dict[tuple[str, str], Glance] = {}
        self._failure: DayflyError | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def look(self) -> "list[Glance]":
        """Return the functions as they were told last. Raises what ended the reading."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            return list(self._known.values())

    def _read(self, stream: "Iterator[GlanceNews]") -> None:
        try:
            for news in stream:
                with self._lock:
                    self._known |= {(each.namespace, each.name): each for each in news.functions}
                    for key in news.gone:
                        self._known.pop(key, None)
        except DayflyError as error:
            with self._lock:
                self._failure = error


def table(known: "Iterable[Glance]", sort: str) -> str:
    """Return the functions in an order as a table."""
    orders = {"invocations": lambda each: (-each.calls_total, each.name), "creation": lambda each: each.updated_unix_ms}
    ordered = sorted(sorted(known, key=lambda each: each.name), key=orders.get(sort, lambda each: each.name))
    return columns([_HEAD, *map(_row, ordered)], _WIDTHS).replace("\t", " ")


def _row(one: "Glance") -> list[str]:
    state = f"{one.state}, canary" if one.canary else one.state
    errors = "-" if one.error_rate is None else f"{one.error_rate * 100:.1f}%"
    spark = bars([float(each) for each in one.spark]) if any(one.spark) else ""
    return [
        one.name,
        state,
        f"{one.replicas}/{one.desired_replicas}",
        f"{one.calls_total:,}",
        errors,
        spark,
        one.reason,
    ]
