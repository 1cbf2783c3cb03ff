"""Queries for the control plane: each is answered by a process of its own, in a file that is gone when it was read.

Nothing of an answer passes through this process's memory but in pieces. A query that takes longer than it may ends with
its process, and so does one whose caller has gone.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from dayfly.model.cost import Prices
from dayfly.model.errors import InternalError, InvalidRequest, NotSupported, StoreUnavailable
from dayfly.observe.query.answering import ANSWER
from dayfly.observe.query.catalogue import named_in
from dayfly.observe.query.order import Asker, Bounds, Form, Order, Outcome
from dayfly.observe.query.seats import Seats

_KILL_AFTER_S = 5.0
"""How much longer than it may a query is left to end by itself: it starts, and looks at the clock now and then only."""
_MAX_OUTCOME = 65_536
_log = logging.getLogger("dayfly.observe")
Inventory = Mapping[str, list[list[object]]]


class Found(msgspec.Struct, frozen=True):
    """An answer: a file that has no name any more, at its beginning."""

    file: BinaryIO
    size_bytes: int
    rows: int
    truncated: bool


class QueryRunner:
    """Answers queries over the `files`, known by what the catalogue calls them; `folder` is for what is in the making.

    Use it from one event loop.
    """

    def __init__(self, folder: Path, files: Mapping[str, Path], prices: Prices) -> None:
        self._folder = folder
        self._files = {name: str(path) for name, path in files.items()}
        self._prices = (prices.call, prices.cpu_second, prices.gib_second, prices.currency)
        self._seats = Seats()

    async def open(self) -> None:
        """Make the folder, and clear it of what an earlier life left there. Raises StoreUnavailable."""
        try:
            await asyncio.to_thread(self._clear)
        except OSError as error:
            raise StoreUnavailable(f"the folder for queries {self._folder} cannot be made: {error}") from error

    def named(self, sql: str, asker: Asker) -> frozenset[str]:
        """Return the tables that the query may ask and names."""
        return named_in(sql) & asker.tables

    async def run(
        self,
        sql: str,
        form: Form,
        bounds: Bounds,
        *,
        asker: Asker,
        inventory: Inventory,
        raw: bool = False,
    ) -> Found:
        """Return the answer, made of what whoever asks may see.

        Raises InvalidRequest, NotSupported, StoreUnavailable, InternalError.
        """
        async with self._seats.seat(asker.namespace or ""):
            try:
                folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._folder))
            except OSError as error:
                raise StoreUnavailable(f"a query's answer cannot be kept: {error}") from error
            try:
                order = Order(
                    sql=sql,
                    form=form,
                    raw=raw,
                    bounds=bounds,
                    namespace=asker.namespace,
                    tables=tuple(sorted(asker.tables)),
                    files=self._files,
                    inventory=dict(inventory),
                    prices=self._prices,
                    folder=str(folder),
                )
                outcome = await self._outcome(order)
                _raise(outcome)
                return await asyncio.to_thread(_taken, folder, outcome)
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def _outcome(self, order: Order) -> Outcome:
        # In an image the packages lie where only the variable tells.
        modules = os.pathsep.join(filter(None, sys.path))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "dayfly.observe.query.process",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TMPDIR": order.folder, "PYTHONPATH": modules},
        )  # fmt: skip
        try:
            async with asyncio.timeout(order.bounds.seconds + _KILL_AFTER_S):
                said, complaint = await process.communicate(msgspec.msgpack.encode(order))
        except TimeoutError:
            return _took_too_long(order.bounds)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            code = await asyncio.shield(process.wait())
        if code < 0:
            # Nothing that a query does ends the process but what the kernel ends it for.
            _log.warning("a query's process was ended by signal %d", -code)
            return _took_too_long(order.bounds)
        try:
            return msgspec.msgpack.decode(said[:_MAX_OUTCOME], type=Outcome)
        except msgspec.MsgspecError:
            told = ascii(complaint[-2000:].decode("utf-8", "replace"))
            _log.error("a query's process failed code=%d said=%s", code, told)
            return Outcome(refusal="failed", message="The process that answers queries failed")

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)


def _took_too_long(bounds: Bounds) -> Outcome:
    return Outcome(
        refusal="limit",
        message=f"The query takes longer than {bounds.seconds:g}s, or more memory than it may",
        hint="Ask for less: a condition on the time, fewer columns, a LIMIT",
    )


def _raise(outcome: Outcome) -> None:
    match outcome.refusal:
        case "":
            return
        case "invalid" | "limit":  # the same query would fail again
            raise InvalidRequest(outcome.message, hint=outcome.hint)
        case "unsupported":
            raise NotSupported(outcome.message, hint=outcome.hint)
        case _:
            raise InternalError(outcome.message, hint=outcome.hint)


def _taken(folder: Path, outcome: Outcome) -> Found:
    file = (folder / ANSWER).open("rb")  # the folder goes, the file stays as long as it is open
    return Found(file, os.fstat(file.fileno()).st_size, outcome.rows, outcome.truncated)
