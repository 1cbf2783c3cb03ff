"""One thread that owns a SQLite connection, and commits for everybody who waits.

A commit that is on the disk costs a flush, whatever it holds. So whatever has queued up while one commit was under way
goes into the next one together, and each caller hears of its own write only after that commit: a hundred deployments
at once cost a few flushes, and nothing that was acknowledged can be lost. Each operation runs in a savepoint of its
own: one that is refused undoes nothing of its neighbours.

A commit that the disk refuses is undone, and its operations are tried one by one, so that reading goes on while the
disk is full. After an I/O error nothing is written at first. A kernel that fails to flush may drop what it could not
write and report the next flush as good, so a flush must not simply be asked for again: everything that is only in the
log is first written anew into the database itself and flushed there, as it is at every opening.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.medium import database_failed, disk_failed, sqlite_code

log = logging.getLogger("dayfly.storage")

Result = TypeVar("Result")
MAX_BATCH = 500
"""Operations in one commit: bounds how long the first of them waits for the last."""
_MEND_EVERY_S = 0.5


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
        self._broken: StoreUnavailable | None = None
        """Why nothing is written now; reading goes on."""
        self._mend_at = 0.0

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
        self._begin(connection)
        self._post([(self._opened, None, None)])
        more = True
        while more:
            batch, more = self._next_batch()
            self._serve(connection, batch)
        self._disconnect(connection)
        self._post([(self._closed, None, None)])

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            if not _rewrite(connection):
                log.warning("%s: another program reads the state; its log is emptied later", self._path)
        except sqlite3.Error as error:
            # What can be read is enough to serve with: a full disk must not keep a control plane from coming back.
            self._stop_writing(connection, error)

    def _disconnect(self, connection: sqlite3.Connection) -> None:
        try:
            connection.close()
        except sqlite3.Error:
            log.exception(
                "%s: the state database did not close cleanly; what was acknowledged is on the disk", self._path
            )

    def _next_batch(self) -> tuple[list["_Job"], bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == MAX_BATCH or self._jobs.empty():
                return batch, True
            job = self._jobs.get()
        return batch, False

    def _serve(self, connection: sqlite3.Connection, batch: list["_Job"]) -> None:
        """Run the operations in one commit; when the disk refuses that, each in its own."""
        if not batch:
            return
        self._mend(connection)
        try:
            answers = self._commit(connection, batch)
        except sqlite3.Error as error:
            self._suspect(connection, error)
            answers = (
                [self._alone(connection, job) for job in batch] if len(batch) > 1 else [self._refuse(batch[0], error)]
            )
        self._post(answers)

    def _alone(self, connection: sqlite3.Connection, job: "_Job") -> "_Answer":
        try:
            return self._commit(connection, [job])[0]
        except sqlite3.Error as error:
            self._suspect(connection, error)
            return self._refuse(job, error)

    def _commit(self, connection: sqlite3.Connection, batch: list["_Job"]) -> "list[_Answer]":
        """Run the operations in one transaction. Raises sqlite3.Error, with nothing of them done."""
        try:
            # While nothing may be written, SQLite refuses a transaction that says that it will.
            connection.execute("BEGIN IMMEDIATE" if self._broken is None else "BEGIN")
            answers = [(job.answer, *_attempt(connection, job)) for job in batch]
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                _roll_back(connection)
            raise
        return answers

    def _refuse(self, job: "_Job", error: sqlite3.Error) -> "_Answer":
        return job.answer, None, self._broken or unavailable(self._path, error)

    def _suspect(self, connection: sqlite3.Connection, error: sqlite3.Error) -> None:
        """Write nothing more after an I/O error, until what is in the log was written anew."""
        if self._broken is None and sqlite_code(error) == sqlite3.SQLITE_IOERR:
            self._stop_writing(connection, error)

    def _stop_writing(self, connection: sqlite3.Connection, error: sqlite3.Error) -> None:
        self._broken = unavailable(self._path, error)
        self._mend_at = time.monotonic() + _MEND_EVERY_S
        log.error("nothing is written until the disk works again: %s", self._broken)
        connection.execute("PRAGMA query_only = ON")

    def _mend(self, connection: sqlite3.Connection) -> None:
        if self._broken is None or time.monotonic() < self._mend_at:
            return
        self._mend_at = time.monotonic() + _MEND_EVERY_S
        try:
            if not _rewrite(connection):
                return
            connection.execute("PRAGMA query_only = OFF")
        except sqlite3.Error as error:
            self._broken = unavailable(self._path, error)
            return
        self._broken = None
        log.warning("%s: the disk works again, and the state is written again", self._path)

    def _post(self, answers: "list[_Answer]") -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:
            # The loop was closed without close(): nobody is left to hear it, and what was committed stays.
            log.warning("%s: the event loop ended before the state store was closed", self._path)


_Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]


class _Job:
    __slots__ = ("answer", "operation")

    def __init__(self, operation: Callable[[sqlite3.Connection], Any], answer: "asyncio.Future[Any]") -> None:
        self.operation = operation
        self.answer = answer


def unavailable(path: Path, error: Exception) -> StoreUnavailable:
    """Return what happened to the database as our error, with what an operator should do."""
    if isinstance(error, StoreUnavailable):
        return error
    what = f"the state in {path} could not be read or written"
    if isinstance(error, sqlite3.Error):
        return database_failed(what, path, error)
    return disk_failed(what, error) if isinstance(error, OSError) else StoreUnavailable(f"{what}: {error}")


def _rewrite(connection: sqlite3.Connection) -> bool:
    """Write what is only in the log into the database, flush it there, and empty the log.

    Returns whether that was possible: another program that reads the database is in the way. Raises sqlite3.Error.
    """
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


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


def _settle(answers: "list[_Answer]") -> None:
    for answer, result, error in answers:
        if answer.cancelled():
            continue
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)
