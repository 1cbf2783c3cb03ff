"""One thread that owns a SQLite connection, and commits for everybody who waits.

A commit that is on the disk costs a flush, whatever it holds. So whatever has queued up while one commit was under way
goes into the next one together, and each caller hears of its own write only after that commit: a hundred deployments
at once cost a few flushes, and nothing that was acknowledged can be lost. Each operation runs in a savepoint of its
own: one that is refused undoes nothing of its neighbours.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dayfly.model.errors import StoreUnavailable

log = logging.getLogger("dayfly.storage")

Result = TypeVar("Result")
MAX_BATCH = 500
"""Operations in one commit: bounds how long the first of them waits for the last."""


class Writer:
    """Runs operations on the connection that `connect` makes, in order, in its own thread."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"dayfly-{path.name}", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._closing = False

    async def open(self) -> None:
        """Start the thread and connect. Raises StoreUnavailable."""
        self._thread.start()
        await self._opened

    async def close(self) -> None:
        """Finish what is queued, close the connection, end the thread. Idempotent."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        await asyncio.shield(self._closed)
        self._thread.join()

    async def run(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run the operation and return its result once it is on the disk. Raises StoreUnavailable, and what it raises.

        A caller that is cancelled does not undo it.
        """
        if self._closing:
            raise StoreUnavailable(f"{self._path}: the state store is closed")
        job = _Job(operation, self._loop.create_future())
        self._jobs.put(job)
        result: Result = await job.answer
        return result

    def _work(self) -> None:
        try:
            connection = self._connect()
        except (sqlite3.Error, OSError, StoreUnavailable) as error:
            self._closing = True
            refusal = unavailable(self._path, error)
            self._post([(self._opened, None, refusal), (self._closed, None, None)])
            return
        self._post([(self._opened, None, None)])
        more = True
        while more:
            batch, more = self._next_batch()
            self._commit(connection, batch)
        try:
            connection.close()
        except sqlite3.Error:
            log.exception(
                "%s: the state database did not close cleanly; what was acknowledged is on the disk", self._path
            )
        self._post([(self._closed, None, None)])

    def _next_batch(self) -> tuple[list["_Job"], bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == MAX_BATCH or self._jobs.empty():
                return batch, True
            job = self._jobs.get()
        return batch, False

    def _commit(self, connection: sqlite3.Connection, batch: list["_Job"]) -> None:
        if not batch:
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            answers = [(job.answer, *_attempt(connection, job)) for job in batch]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            refusal = unavailable(self._path, error)
            answers = [(job.answer, None, refusal) for job in batch]
            if connection.in_transaction:
                _roll_back(connection)
        self._post(answers)

    def _post(self, answers: list[tuple["asyncio.Future[Any]", Any, BaseException | None]]) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:
            # The loop was closed without close(): nobody is left to hear it, and what was committed stays.
            log.warning("%s: the event loop ended before the state store was closed", self._path)


class _Job:
    __slots__ = ("answer", "operation")

    def __init__(self, operation: Callable[[sqlite3.Connection], Any], answer: "asyncio.Future[Any]") -> None:
        self.operation = operation
        self.answer = answer


def unavailable(path: Path, error: Exception) -> StoreUnavailable:
    """Return what happened to the database as our error, with what an operator should do."""
    if isinstance(error, StoreUnavailable):
        return error
    text = str(error)
    if "full" in text or "No space" in text:
        hint = "the disk is full: free some space; nothing that was acknowledged is lost"
    elif "readonly" in text or "read-only" in text or isinstance(error, PermissionError):
        hint = "the file or its folder cannot be written: check who owns them and how the disk is mounted"
    elif "malformed" in text or "not a database" in text:
        hint = "the file is damaged: put it aside and restore a copy of the data folder"
    elif "locked" in text:
        hint = "another program holds the file: stop whatever else uses this data folder"
    else:
        hint = "check the disk under the data folder"
    return StoreUnavailable(f"the state in {path} could not be read or written ({text}); {hint}", hint=hint)


def _attempt(connection: sqlite3.Connection, job: _Job) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT job")
    try:
        result = job.operation(connection)
    except sqlite3.Error:
        raise
    except Exception as error:
        # A refusal, or a bug in the operation: it is the caller's to handle, and must not end the thread of everybody.
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        return None, error
    connection.execute("RELEASE job")
    return result, None


def _roll_back(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("ROLLBACK")
    except sqlite3.Error:
        # The medium is failing; the caller was told already, and SQLite rolls back by itself when it is opened again.
        log.exception("the state database could not roll back")


def _settle(answers: list[tuple["asyncio.Future[Any]", Any, BaseException | None]]) -> None:
    for answer, result, error in answers:
        if answer.cancelled():
            continue
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)
