"""One program that runs for one call: its input, its output, and the end of everything it started.

When a program ends, what it started comes to the replica, which adopts orphans, and so does at once what is forked
twice. The end of a call is therefore the end of its program and of those orphans that no other call can claim: each
program leads a session of its own and has its call's id in its environment, and both are inherited.
"""

import asyncio
import contextlib
import os
import resource
import subprocess
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import IO

from dayfly.runtimes.python import processes
from dayfly.runtimes.python.handler import Message

CALL_ID = "DAYFLY_CALL_ID"
PIECE_BYTES = 65_536
_ROUNDS = 64
"""Of looking for what is left; a tree that is deeper than this was made by somebody who wants it to be."""

Receive = Callable[[], Awaitable[Message]]
Sink = Callable[[bytes], Awaitable[None]]
"""Takes what a program writes, piece by piece."""


class Child:
    """A program that was started. Raises OSError or ValueError when it cannot be."""

    def __init__(
        self, argv: Sequence[str], folder: str, environ: Mapping[str, str], *, call_id: str, combine: bool
    ) -> None:
        self.call_id = call_id
        self._loop = asyncio.get_running_loop()
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**environ, CALL_ID: call_id},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if combine else subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self.cpu_s = -1.0
        """Processor time of the program and of what it waited for, once it has ended; negative while nobody knows."""
        self.memory_kib = 0
        """The most that it had in memory, where that is known."""
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)

    async def run(
        self, receive: Receive, output: Sink, errors: Sink, others: Collection["Child"], *, take_all: bool
    ) -> int:
        """Let it work on the request's body until it ends; return its exit code, or a signal's number negated.

        Whatever ends this ends the program and all it started; `others` are the programs that are to go on, this one
        may be among them. With `take_all` the rest of a body that the program did not want is taken in first: a caller
        who still sends may not be listening yet. Raises what the sinks raise.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        feeding = self._loop.create_task(self._feed(process.stdin.fileno(), receive))
        ending = self._loop.create_task(self._end(others))
        tasks: list[asyncio.Task[int] | asyncio.Task[None]] = [ending]
        tasks.append(self._loop.create_task(self._drain(process.stdout.fileno(), output)))
        if process.stderr is not None:
            tasks.append(self._loop.create_task(self._drain(process.stderr.fileno(), errors)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if take_all:
                await feeding
            return ending.result()
        finally:
            for task in (feeding, *tasks):
                task.cancel()
            await asyncio.gather(feeding, *tasks, return_exceptions=True)
            self._close(others)

    async def _end(self, others: Collection["Child"]) -> int:
        await self._ready(self._pidfd)
        code = self._wait()
        self._end_leftovers(others)  # before the pipes are read to their ends: they may hold them open
        return code

    def _wait(self) -> int:
        """Reap the program, which has ended, and note what it used; return its exit code."""
        process = self._process
        try:
            _, status, used = os.wait4(self.pid, 0)
        except ChildProcessError:  # somebody else has reaped it
            return process.wait()
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = used.ru_utime + used.ru_stime
        # Before it becomes the program a child has our memory, and the kernel counts that: less than ours says nothing.
        if used.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            self.memory_kib = used.ru_maxrss
        return process.returncode

    async def _feed(self, fd: int, receive: Receive) -> None:
        """Write the request's body to the program; one that does not want it is no fault."""
        wanted = True
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            more = message["more_body"]
            left = memoryview(message["body"])
            while left and wanted:
                try:
                    left = left[os.write(fd, left) :]
                except BlockingIOError:
                    await self._ready(fd, to_write=True)
                except BrokenPipeError:
                    wanted = False
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def _drain(self, fd: int, sink: Sink) -> None:
        while True:
            try:
                data = os.read(fd, PIECE_BYTES)
            except BlockingIOError:
                await self._ready(fd)
                continue
            if not data:
                return
            await sink(data)

    async def _ready(self, fd: int, *, to_write: bool = False) -> None:
        ready = asyncio.Event()
        add, remove = (
            (self._loop.add_writer, self._loop.remove_writer)
            if to_write
            else (self._loop.add_reader, self._loop.remove_reader)
        )
        add(fd, ready.set)
        try:
            await ready.wait()
        finally:
            remove(fd)

    def _close(self, others: Collection["Child"]) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
            self._end_leftovers(others)
        os.close(self._pidfd)
        for pipe in self._pipes():
            pipe.close()

    def _end_leftovers(self, others: Collection["Child"]) -> None:
        """Kill what programs that have ended left behind, and what comes to us as that ends."""
        living = {other.pid for other in others if other is not self}
        ids = {other.call_id for other in others if other is not self}
        for _ in range(_ROUNDS):
            children = processes.children_of(os.getpid())
            known = {*living, *(pid for pid in children if processes.session_of(pid) in living or _call_of(pid) in ids)}
            if known.issuperset(children):
                return
            processes.end_strangers(known)

    def _pipes(self) -> list[IO[bytes]]:
        process = self._process
        return [pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe is not None]


def _call_of(pid: int) -> str:
    """Return the id of the call that the process works for, as its environment says; nothing when it does not."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        for line in file.read().split(b"\0"):
            if line.startswith(f"{CALL_ID}=".encode()):
                return os.fsdecode(line.partition(b"=")[2])
    return ""
