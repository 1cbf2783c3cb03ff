"""The same work on many functions, `--parallel` of them at a time.

One that fails does not keep the others from being done; the command ends with the first one's error, by the order in
which they were given. What cannot get better for the next one (no login, no gateway) ends it at once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import click

from dayfly.cli.terminal import neutralise, warn
from dayfly.model.errors import DayflyError, Unauthenticated, Unavailable

T = TypeVar("T")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_HOPELESS = (Unauthenticated, Unavailable)


def parallel_option(command: F) -> F:
    """Add --parallel."""
    option = click.option(
        "--parallel",
        type=click.IntRange(min=1, max=64),
        default=1,
        show_default=True,
        metavar="N",
        help="How many functions to work on at a time.",
    )
    return option(command)


def each(
    items: Sequence[T],
    work: Callable[[T], R],
    *,
    name: Callable[[T], str],
    failed: str,
    parallel: int = 1,
    doing: str = "",
    is_timed: bool = True,
) -> list[R]:
    """Do the work on every item and return what came of it, in the items' order.

    With `doing` ("Building") each is told of on standard output, numbered by its worker, and with how long it took if
    that `is_timed`, as faas-cli does. Of several
    items those that fail are told of on standard error. Raises the error of the first that failed; for several items
    one of its class that says how many of them `failed` ("to build").
    """
    run = _Run(work, name, doing, is_alone=len(items) == 1, is_timed=is_timed)
    if parallel == 1 or len(items) == 1:
        done = [run.one(item) for item in items]
        run.over()
    else:
        done = _at_once(run, items, min(parallel, len(items)))
    if run.failures:
        # The first in the items' order, whichever was the first in time.
        first = next(run.failures[name(item)] for item in items if name(item) in run.failures)
        names = ", ".join(name(item) for item in items if name(item) in run.failures)
        raise type(first)(f"{len(run.failures)} of {len(items)} functions failed {failed}: {names}")
    return [result for result in done if result is not None]


class _Run(Generic[T, R]):
    """One call of `each`."""

    def __init__(
        self, work: Callable[[T], R], name: Callable[[T], str], doing: str, *, is_alone: bool, is_timed: bool
    ) -> None:
        self._work, self._name, self._doing = work, name, doing
        self._is_alone, self._is_timed = is_alone, is_timed
        self._worker = threading.local()
        self._context = click.get_current_context(silent=True)
        self.failures: dict[str, DayflyError] = {}

    def enter(self, number: int) -> None:
        """Make this thread the worker of this number."""
        self._worker.number = number

    def one(self, item: T) -> R | None:
        """Do the work on one item; None where it failed and there are others. Raises what ends the whole command."""
        name, began = self._name(item), time.monotonic()
        self._tell(f"> {self._doing} {name}.")
        try:
            if self._context is None or click.get_current_context(silent=True) is not None:
                result = self._work(item)
            else:
                with self._context.scope(cleanup=False):
                    result = self._work(item)
        except DayflyError as error:
            if self._is_alone or isinstance(error, _HOPELESS):
                raise
            self.failures[name] = error
            warn(f"{name}: {error.message}" + (f"\n{error.hint}" if error.hint else ""))
            return None
        self._tell(f"< {self._doing} {name} done{f' in {time.monotonic() - began:.2f}s' if self._is_timed else ''}.")
        return result

    def over(self) -> None:
        """Say that this worker has nothing to do any more."""
        self._tell("Worker done.")

    def _tell(self, text: str) -> None:
        if self._doing:
            click.echo(f"[{getattr(self._worker, 'number', 0)}] {neutralise(text)}")


def _at_once(run: _Run[T, R], items: Sequence[T], parallel: int) -> list[R | None]:
    """Let `parallel` workers take one item after the other. Raises what ends the whole command."""
    left, lock = iter(enumerate(items)), threading.Lock()
    done: list[R | None] = [None] * len(items)
    hopeless = threading.Event()

    def labour(number: int) -> None:
        run.enter(number)
        while not hopeless.is_set():
            with lock:
                at, item = next(left, (-1, None))
            if at < 0 or item is None:
                run.over()
                return
            try:
                done[at] = run.one(item)
            except BaseException:
                hopeless.set()
                raise

    with ThreadPoolExecutor(parallel) as pool:
        workers = [pool.submit(labour, number) for number in range(parallel)]
    for worker in workers:
        worker.result()
    return done
