"""The process that makes calls at a steady rate and writes down every one: `python -m chaos.generator PLAN.json`.

The load is open: a call is begun when its time has come, whatever became of those before it, so that a platform that is
slow does not slow down its own load. Connections are kept and used again, but for a share that is made anew each time.
It ends, after the calls in flight, when its standard input does; and so when whoever started it dies.
"""

import asyncio
import gc
import random
import sys
import time
from pathlib import Path

import msgspec

from chaos.ledger import Answered, Ledger, Sent
from chaos.plan import LoadPlan, Target
from chaos.wire import Connection, Failure, Reply, request_bytes


class Generator:
    """One process's share of a load."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._ledger = Ledger(Path(plan.ledger))
        self._idle: list[Connection] = []
        self._connections = 0
        self._calls = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Call until standard input ends, then wait for the calls in flight."""
        await self._until_told()
        began = time.monotonic()
        weights = [target.weight for target in self._plan.targets]
        while not self._stopping.is_set():
            due = began + self._calls / self._plan.rate_per_s
            wait_s = due - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                continue
            self._begin(self._random.choices(self._plan.targets, weights)[0])
            if not self._calls % 16:
                await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for connection in self._idle:
            connection.close()
        self._ledger.close()

    async def _until_told(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.readline()  # the word to begin

        async def wait() -> None:
            await reader.read()
            self._stopping.set()

        self._waiter = asyncio.create_task(wait())

    def _begin(self, target: Target) -> None:
        self._calls += 1
        task = asyncio.create_task(self._call(target, f"{self._plan.prefix}-{self._calls}"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, target: Target, ident: str) -> None:
        connection, fresh = self._connection()
        body = ident.encode() + b" " + b"x" * self._random.randint(0, target.pad)
        path = f"/function/{target.function}" + (f"?ms={target.ms}" if target.ms else "")
        request = request_bytes(target.method, path, body, self._plan.host)
        self._ledger.note(Sent(ident, target.function, time.monotonic(), connection.number, fresh))
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                if fresh:
                    await connection.open(self._plan.host, self._plan.port)
                reply = await connection.exchange(request)
        except TimeoutError:
            connection.close()
            self._ledger.note(Answered(ident, time.monotonic(), "timeout"))
        except Failure as failure:
            connection.close()
            self._ledger.note(Answered(ident, time.monotonic(), str(failure)))
        else:
            self._ledger.note(answer_of(ident, body, reply, time.monotonic()))
            if reply.keeps and len(self._idle) < self._plan.kept:
                self._idle.append(connection)
            else:
                connection.close()

    def _connection(self) -> tuple[Connection, bool]:
        if self._random.random() >= self._plan.fresh:
            while self._idle:
                connection = self._idle.pop(self._random.randrange(len(self._idle)))
                if connection.usable:
                    return connection, False
                connection.close()
        self._connections += 1
        return Connection(self._connections), True


def answer_of(ident: str, body: bytes, reply: Reply, now: float) -> Answered:
    """Return what an answer means: `ok` only when the body that was sent came back."""
    reason, detail = "ok", ""
    if reply.status != 200:
        reason, detail = _problem(reply)
    elif reply.body != body:
        reason, detail = "wrong body", repr(reply.body[:80])
    revision = reply.headers.get("x-revision", "")
    return Answered(
        ident,
        now,
        reason,
        status=reply.status,
        revision=int(revision) if revision.isdigit() else 0,
        replica=reply.headers.get("x-replica", ""),
        retry_after="retry-after" in reply.headers,
        detail=detail,
        nbytes=len(reply.body),
    )


def _problem(reply: Reply) -> tuple[str, str]:
    try:
        problem = msgspec.json.decode(reply.body, type=dict[str, object])
    except msgspec.DecodeError:
        return f"{reply.status}", repr(reply.body[:200])
    return f"{reply.status} {problem.get('code', '')}".strip(), str(problem.get("detail", ""))[:300]


def main(argv: list[str]) -> int:
    """Make the calls of the plan in the file named."""
    plan = msgspec.json.decode(Path(argv[0]).read_bytes(), type=LoadPlan)
    gc.freeze()
    asyncio.run(Generator(plan).run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
