"""SIGTERM while calls are under way: they are answered, new ones are sent elsewhere, and the exit is clean and in time.

Then the same with a second SIGTERM, which ends everything at once, and one SIGTERM amid the start.
"""

import asyncio
import signal
import subprocess
import time

from chaos import checker, processes
from chaos.box import Box
from chaos.burst import Burst
from chaos.ledger import Call
from chaos.outcome import Outcome, Promise, counted
from chaos.processes import eventually
from chaos.stage import Stage
from chaos.wire import Connection, Failure, request_bytes

SECONDS = 5.0
SHORT_SECONDS = 3.0
_UNDER_WAY = 20
_DRAIN_S = 30.0
_AT_ONCE_S = 20.0
"""How long the end after a second signal may take where others use the machine; it is one second on an idle one."""


def run(stage: Stage) -> Outcome:
    """Stop the platform three times."""
    box = stage.box(gateways=2, start=False)
    first = _stopped_amid_calls(stage, box)
    promises, calls, took_s = first
    hurried, at_once_s = _told_twice(box)
    early_code, early_s = _told_early(box)
    left = checker.remains(box)
    promises += [
        Promise(
            "a second signal ends everything at once", hurried == 0 and at_once_s < _AT_ONCE_S, f"{at_once_s:.1f} s"
        ),
        Promise(
            "a signal amid the start ends it cleanly", early_code in (0, -signal.SIGTERM), f"exit code {early_code}"
        ),
    ]
    failed = [call for call in calls if not call.ok]
    return Outcome(
        calls=len(calls),
        failed=counted(call.reason for call in failed),
        forbidden=len(failed),
        orphans=len(left),
        figures={
            f"{_UNDER_WAY} calls of {stage.seconds:g} s under way: from SIGTERM to the exit": f"{took_s:.2f} s",
            "from a second SIGTERM to the exit": f"{at_once_s:.2f} s",
            "from SIGTERM amid the start to the exit": f"{early_s:.2f} s",
        },
        promises=(*promises, Promise("nothing is left", not left, "; ".join(left))),
    )


def _stopped_amid_calls(stage: Stage, box: Box) -> tuple[list[Promise], list[Call], float]:
    process = _started(box)
    box.deploy("slow", replicas=2, concurrency="threads")
    with Burst(box.address, "slow", _UNDER_WAY, ms=int(stage.seconds * 1000)) as burst:
        eventually(lambda: _worked(box) == _UNDER_WAY, 60.0)
        closes = asyncio.run(_ask_while_draining(box, process))
        code = process.wait(_DRAIN_S + 15.0)
        took_s = time.monotonic() - closes[1]
    promises = [
        Promise("the exit code is 0", code == 0, f"{code}"),
        Promise("a kept connection is answered while draining, and told to close", closes[0] == "close", closes[0]),
        Promise("the end waits for the calls and no longer", took_s < stage.seconds + _AT_ONCE_S, f"{took_s:.1f} s"),
    ]
    return promises, list(burst.calls), took_s


async def _ask_while_draining(box: Box, process: "subprocess.Popen[bytes]") -> tuple[str, float]:
    """Keep a connection busy with a call, signal, and say what its answer says of the connection."""
    host, port = box.address
    connection = Connection(0)
    await connection.open(host, port)
    await connection.exchange(request_bytes("POST", "/function/slow", b"before", host))
    asking = asyncio.create_task(connection.exchange(request_bytes("POST", "/function/slow?ms=300", b"amid", host)))
    await asyncio.sleep(0.1)
    signalled_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        reply = await asking
        return reply.headers.get("connection", "nothing"), signalled_s
    except Failure as failure:
        return str(failure), signalled_s
    finally:
        connection.close()


def _told_twice(box: Box) -> tuple[int, float]:
    process = _started(box)
    box.wait_ready("slow", 2)
    before, stops = _worked(box), _stops(box)
    with Burst(box.address, "slow", 4, ms=20_000, timeout_s=25.0):
        eventually(lambda: _worked(box) == before + 4, 10.0)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: _stops(box) > stops, 10.0)
        again_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(_DRAIN_S)
        return code, time.monotonic() - again_s


def _told_early(box: Box) -> tuple[int, float]:
    process = box.start_foreground()
    eventually(lambda: processes.descendants(process.pid), 10.0, 0.002)  # from here on it has begun to start parts
    told_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    return process.wait(_DRAIN_S), time.monotonic() - told_s


def _started(box: Box) -> "subprocess.Popen[bytes]":
    process = box.start_foreground()
    box.wait_served()
    return process


def _worked(box: Box) -> int:
    """How many calls the function has begun to work on, ever."""
    return sum(line.text.startswith("worked burst") for line in box.client.logs("slow"))


def _stops(box: Box) -> int:
    return (box.data_dir.parent / f"{box.data_dir.name}.log").read_text().count("a second signal ends them")
