"""A control plane's flows and its queue, on a nats-server that is elsewhere, as a pod of a cluster has them.

    python -m tests.system.flow_driver ACCESS_FILE FOLDER CALLS_FILE [HANGS]

Instead of a function that answers, a line of the file tells of each call: who made it, and for which step. One for the
step HANGS is never answered. It begins the run, unless there is one, and ends when it is over, with what it came to.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from dayfly.control.clock import SystemClock
from dayfly.decide.queueing import Outcome
from dayfly.events.flows.calls import QueueCalls
from dayfly.events.flows.engine import Engine
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import FlowRun
from dayfly.model.queued import QueuedCall, Request, Result
from dayfly.queue.desk import Desk
from dayfly.queue.dispatcher import Dispatcher
from dayfly.queue.front import Front
from dayfly.queue.invocation import Attempt
from dayfly.queue.jetstream import JetStreamStore
from dayfly.queue.journal import Journals
from dayfly.queue.ledger import Ledger
from dayfly.queue.life import Life, is_alive
from dayfly.queue.limits import QueueLimits
from dayfly.queue.remote import RemoteQueue
from dayfly.queue.vouching import Vouching
from dayfly.storage.journal_flow_runs import JournalRuns

RUN = "run1"
STEPS = ("one", "two", "three")
SPEC = {
    "name": "f",
    "steps": [{"do": "call", "name": name, "function": "g", "body": f"`{at}`"} for at, name in enumerate(STEPS)],
    "output": "[one, two, three]",
}
_STEP = b"x-dayfly-flow-step: "


async def main(access: Path, folder: Path, calls: Path, hangs: str) -> None:
    """Drive the run to its end."""

    async def invoke(_call: QueuedCall, request: Request, /) -> Attempt:
        (line,) = (each for each in request.lines.split(b"\r\n") if each.lower().startswith(_STEP))
        step = line[len(_STEP) :].decode()
        with calls.open("a") as file:
            file.write(f"{folder.name} {step}\n")
        if step == hangs:
            await asyncio.Event().wait()
        body = b'"%b by %b"' % (request.body, folder.name.encode())
        return Attempt(outcome=Outcome(status=200), body=body, lines=b"Content-Type: application/json\r\n")

    async def deliver(_url: str, _result: Result, /) -> str:
        return ""

    async def nobodys(_function: str, _authorization: bytes, _peer: bytes, /) -> bool:
        return False

    clock, store, journals = SystemClock(), JetStreamStore(access), Journals(access)
    working = [asyncio.create_task(part.run()) for part in (store, journals)]
    ledger, limits, life = Ledger(), QueueLimits(), Life(folder)
    dispatcher = Dispatcher(
        store, ledger, limits, owner=life.name, invoke=invoke, deliver=deliver,
        is_alive=lambda name: is_alive(folder, name),
    )  # fmt: skip
    await dispatcher.load()
    working.append(asyncio.create_task(dispatcher.run()))
    vouching = Vouching(nobodys, anybody=False)
    front = Front(Desk(store, ledger, dispatcher, limits), vouching, limits.body_bytes, dispatcher.clock)
    front.loaded.set()
    await asyncio.get_running_loop().create_unix_server(front.connection, folder / "queue.sock")
    log = JournalRuns(journals.flows)
    queue = RemoteQueue(folder / "queue.sock")
    engine = Engine(log, QueueCalls(queue, lambda _key: 1, clock), clock)
    await engine.open()
    if not engine.under_way("team"):
        spec = msgspec.convert(SPEC, FlowSpec)
        await engine.begin(
            FlowRun(id=RUN, namespace="team", flow="f", spec=spec, input=None, started_unix_ms=clock.unix_ms())
        )
    await engine.wait(RUN, 100.0)
    sys.stdout.buffer.write(msgspec.json.encode(await log.get(RUN)) + b"\n")
    sys.stdout.flush()
    for task in working:
        task.cancel()


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(Path(given[0]), Path(given[1]), Path(given[2]), given[3] if len(given) > 3 else ""))
