"""One query, from its order to its answer in a file; told in words where there is none."""

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from dayfly.observe.export.file import TooLarge
from dayfly.observe.export.forms import open_writer, preload
from dayfly.observe.export.writer import CannotHold, Writer
from dayfly.observe.query.guard import Guard
from dayfly.observe.query.order import Bounds, Order, Outcome
from dayfly.observe.query.views import connect

ANSWER = "answer"
"""What the answer's file is called."""
_STEPS = 2_000
"""Instructions of SQLite between two looks at the clock."""
_TABLES = "`dayfly query tables` lists tables and columns"
_LESS = "Ask for less: a condition on the time, fewer columns, a LIMIT"


def answer(order: Order, fence: Callable[[str], object] = lambda _folder: None) -> Outcome:
    """Answer the order in its folder; `fence` is told of that once the tables are open."""
    path = Path(order.folder, ANSWER)
    try:
        db, guard = connect(order)
        preload(order.form)
        fence(order.folder)
    except ImportError as error:
        return _unsupported(order, error)
    except OSError as error:
        return Outcome(refusal="failed", message=f"The process that answers cannot be closed off: {error}")
    except (sqlite3.Error, MemoryError) as error:
        return Outcome(refusal="failed", message=f"The tables cannot be opened: {error}")
    with closing(db):
        until = time.monotonic() + order.bounds.seconds
        db.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            return _answer(db, order, path)
        except TooLarge:
            return _too_large(order.bounds)
        except CannotHold as error:
            return Outcome(refusal="limit", message=str(error))
        except MemoryError:
            mebibytes = order.bounds.heap_bytes // 2**20
            return Outcome(refusal="limit", message=f"The query needs more memory than {mebibytes} MiB", hint=_LESS)
        except OSError as error:
            if error.errno == errno.EFBIG:  # the kernel's bound on files, which libraries write by themselves
                return _too_large(order.bounds)
            return Outcome(refusal="failed", message=f"The answer cannot be written: {error}")
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            return _refusal(error, guard, order, has_run_out=time.monotonic() > until)


def _answer(db: sqlite3.Connection, order: Order, path: Path) -> Outcome:
    found = db.execute(order.sql)
    if found.description is None:
        return Outcome(refusal="invalid", message="A query only reads: it is one SELECT")
    columns = [str(column[0]) for column in found.description]
    with ExitStack() as stack:
        writer = open_writer(order.form, path, columns, order.bounds.answer_bytes, stack, raw=order.raw)
        return _write(found, writer, order.bounds)


def _write(found: Iterator[Any], writer: Writer, bounds: Bounds) -> Outcome:
    rows, truncated = 0, False
    for row in found:
        if rows == bounds.rows:
            truncated = True
            break
        try:
            writer.row(row)
        except TooLarge:
            if not bounds.cuts:
                raise
            truncated = True
            break
        rows += 1
    if truncated and not bounds.cuts:
        return Outcome(refusal="limit", message=f"The query has more than {bounds.rows} rows", hint=_LESS)
    writer.end(truncated=truncated)
    return Outcome(rows=rows, truncated=truncated)


def _unsupported(order: Order, error: ImportError) -> Outcome:
    return Outcome(
        refusal="unsupported",
        message=f"This installation cannot write {order.form} files: {error}",
        hint="Have its operator install the extra export: pip install 'dayfly[export]'",
    )


def _too_large(bounds: Bounds) -> Outcome:
    return Outcome(
        refusal="limit", message=f"The answer has more than {bounds.answer_bytes // 2**20} MiB", hint=_LESS
    )  # fmt: skip


def _refusal(error: Exception, guard: Guard, order: Order, *, has_run_out: bool) -> Outcome:
    if guard.refused:
        hint = "docs/query.md lists them" if "function" in guard.refused else _TABLES
        return Outcome(refusal="invalid", message=guard.refused, hint=hint)
    text = str(error)
    if text.startswith("cannot modify"):
        return Outcome(refusal="invalid", message="A query only reads: it is one SELECT")
    if has_run_out and "interrupt" in text:
        return Outcome(refusal="limit", message=f"The query takes longer than {order.bounds.seconds:g}s", hint=_LESS)
    if any(word in text for word in ("too big", "too many", "too large", "too complex", "stack overflow")):
        return Outcome(refusal="limit", message=f"The query makes or says too much: {text}", hint=_LESS)
    if "user-defined" in text:
        text = "percentile takes a number and where to look, from 0 to 100, and two million values at most"
    hint = _TABLES if text.startswith(("no such table", "no such column")) else ""
    if isinstance(error, sqlite3.DatabaseError) and "malformed" in text and "JSON" not in text:
        return Outcome(refusal="failed", message=f"A file is damaged: {text}")
    return Outcome(refusal="invalid", message=f"The query cannot be answered: {text}", hint=hint)
