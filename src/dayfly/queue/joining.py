"""One server becomes the first of three: what it kept alone is given to all of them, before anybody writes to them.

    python -P -m dayfly.queue.joining NATS_SERVER --data DIR --run DIR --access FILE

`aside` says why it does not bring that along, and has put its store aside. This program starts a server of its own that
shows the old store to nobody else, and gives each stream to the three as a snapshot, with the numbers of its messages,
on which fences and expectations rest. When all three have all of everything, the stream JOINED tells so, and the old
store is removed. Until then `connection` lets nobody write, so that whatever else is found there is the rest of an
attempt that was broken off, or made by who does not know, and is made anew.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError

from dayfly.queue.access import USER, Access
from dayfly.queue.aside import ALONE, NAME, STORE
from dayfly.queue.connection import JOINED, close, dial
from dayfly.queue.server import ACCESS
from dayfly.runtimes.log_format import log_settings, log_to_stderr

COPIES = 3
EXIT_AGAIN = 75
_CHUNK_BYTES = 128 * 1024
_PAUSE_S = 0.2
_LEADER_S = 1.0
"""How long servers are waited for that do not answer while they have no leader."""
_ANSWER_S = 30.0
_COPYING_S = 300.0
_MAX_STORE_BYTES = 2**50
_UNNAMED = "one without a name"
_GIVEN = "All have what one kept alone: "
_log = logging.getLogger("dayfly.queue")


class NotJoined(Exception):
    """The servers do not do what they were asked for; it is tried again."""


async def join(program: str, data: Path, run_dir: Path, access: Access) -> None:
    """Return once all three have what one kept alone. Raises NotJoined, OSError, TimeoutError, nats.errors.Error."""
    name = _name_of(data / ALONE)
    async with _client(access) as among:
        given = await _what_was_given(among)
        if given is None:
            if name:
                async with _shown(program, data / ALONE, run_dir) as alone:
                    await _give(alone, among)
            marker = StreamConfig(name=JOINED, subjects=[f"dayfly.{JOINED}"], max_msgs=1, num_replicas=COPIES)
            await among.jetstream(timeout=_ANSWER_S).add_stream(marker.evolve(description=f"{_GIVEN}{name}"))
        elif name not in given:
            _log.error("the others had joined without this server before: what it kept alone stays in %s", data / ALONE)
            return
    shutil.rmtree(data / ALONE, ignore_errors=True)


def _name_of(folder: Path) -> str:
    """Return the name of the store that was put aside; empty where none was."""
    return ((folder / NAME).read_text() or _UNNAMED) if (folder / STORE).exists() else ""


async def _what_was_given(client: Client) -> str | None:
    """Return what JOINED says, as soon as the servers agree on anything; None where it is not there yet."""
    context = client.jetstream(timeout=_LEADER_S)
    while True:
        try:
            return (await context.stream_info(JOINED)).config.description or ""
        except NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError) as away:
            _log.info("the queue's servers do not agree on a leader yet: %s", away or type(away).__name__)
            await asyncio.sleep(_PAUSE_S)


async def _give(alone: Client, among: Client) -> None:
    old, new = alone.jetstream(timeout=_ANSWER_S), among.jetstream(timeout=_ANSWER_S)
    for info in await old.streams_info():
        name = str(info.config.name)
        with contextlib.suppress(NotFoundError):  # one that was broken off is there, and in no list
            await new.delete_stream(name)
        await _copy(alone, among, name)
        await _until_all_have_it(new, name, (info.state.messages, info.state.last_seq))
        _log.info("all three have the stream %s, of %s messages", name, info.state.messages)


async def _copy(source: Client, target: Client, name: str) -> None:
    """Give a stream to other servers as it is, with three copies. Consumers stay behind: ours are made when wanted."""
    inbox = source.new_inbox()
    chunks: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await source.subscribe(inbox, cb=chunks.put)
    try:
        order = {"deliver_subject": inbox, "no_consumers": True, "chunk_size": _CHUNK_BYTES}
        begun = await _ask(source, f"$JS.API.STREAM.SNAPSHOT.{name}", order)
        wanted = {"config": begun["config"] | {"num_replicas": COPIES}, "state": begun["state"]}
        to = str((await _ask(target, f"$JS.API.STREAM.RESTORE.{name}", wanted))["deliver_subject"])
        while (chunk := await asyncio.wait_for(chunks.get(), _ANSWER_S)).data:
            await _ask(target, to, chunk.data)
            if chunk.reply:  # the last one has none
                await source.publish(chunk.reply)
        if (status := (chunk.headers or {}).get("Status", "204")) != "204":
            raise NotJoined(f"the snapshot of {name} broke off with {status}")
        await _ask(target, to, b"")
    finally:
        await subscription.unsubscribe()


async def _ask(client: Client, subject: str, what: dict[str, Any] | bytes) -> dict[str, Any]:
    payload = what if isinstance(what, bytes) else json.dumps(what).encode()
    async with asyncio.timeout(_ANSWER_S):
        while True:
            try:
                answer = await client.request(subject, payload, timeout=_ANSWER_S)
                break
            except nats.errors.NoRespondersError:  # who listens elsewhere is not known here yet
                await asyncio.sleep(_PAUSE_S)
    said: dict[str, Any] = json.loads(answer.data) if answer.data else {}
    if error := said.get("error"):
        raise NotJoined(f"{subject}: {error.get('description', error)}")
    return said


async def _until_all_have_it(context: JetStreamContext, name: str, wanted: tuple[int, int]) -> None:
    async with asyncio.timeout(_COPYING_S):
        while True:
            info = await context.stream_info(name)
            others = (info.cluster.replicas or []) if info.cluster and info.cluster.leader else []
            if len(others) == COPIES - 1 and all(each.current and not each.lag for each in others):
                break
            await asyncio.sleep(_PAUSE_S)
    found = (info.state.messages, info.state.last_seq)
    if found != wanted:
        raise NotJoined(f"{name} has {found[0]} messages up to number {found[1]}, of {wanted[0]} up to {wanted[1]}")


@contextlib.asynccontextmanager
async def _client(access: Access) -> AsyncIterator[Client]:
    client = await dial(access, USER, asyncio.Event())
    try:
        yield client
    finally:
        await close(client)


@contextlib.asynccontextmanager
async def _shown(program: str, store: Path, run_dir: Path) -> AsyncIterator[Client]:
    """Have a server of our own show a store, on loopback and to us alone."""
    run = run_dir / ALONE
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(mode=0o700)
    argv = ["-P", "-m", "dayfly.queue.server", program, "--store", str(store), "--run", str(run)]
    argv += ["--max-store", str(_MAX_STORE_BYTES)]
    server = await asyncio.create_subprocess_exec(sys.executable, *argv)
    try:
        async with _client(await _access_of(server, run / ACCESS)) as client:
            yield client
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def _access_of(server: asyncio.subprocess.Process, file: Path) -> Access:
    """Return how a server lets us in, once it does."""
    async with asyncio.timeout(_COPYING_S):
        while True:
            if server.returncode is not None:
                raise NotJoined(f"the server that shows what was kept alone ended with code {server.returncode}")
            try:
                access = _read(file)
                async with _client(access):
                    return access
            except (OSError, nats.errors.Error, TimeoutError):
                await asyncio.sleep(_PAUSE_S)


def _read(file: Path) -> Access:
    return msgspec.json.decode(file.read_bytes(), type=Access)


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Do it; SIGTERM breaks it off, with nothing left running."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def main(argv: list[str]) -> int:
    """Join; return 0 when it is done, EXIT_AGAIN when it is to be tried again."""
    log_to_stderr("joining", *log_settings(os.environ))
    parser = argparse.ArgumentParser(prog="dayfly.queue.joining")
    parser.add_argument("program")
    for name in ("data", "run", "access"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args(argv)
    try:
        asyncio.run(_until_told(join(given.program, given.data, given.run, _read(given.access))))
    except asyncio.CancelledError:
        return EXIT_AGAIN
    except (NotJoined, OSError, TimeoutError, nats.errors.Error, msgspec.MsgspecError) as error:
        _log.warning("the queue's servers are not joined yet: %s", error or type(error).__name__)
        return EXIT_AGAIN
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
