"""Idle connections, held open by a process of their own: python -m fuzz.idle HOST PORT COUNT

Says `ready` once all are open and each has had one answer, and holds them until its input ends. Then it says how many
the other side has closed meanwhile.
"""

import asyncio
import resource
import sys

from fuzz.storm import read_answer

_AT_ONCE = 200


async def hold(host: str, port: int, count: int) -> None:
    """Open `count` connections, use each once, and hold them until the input ends."""
    held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    for begin in range(0, count, _AT_ONCE):
        held += await asyncio.gather(*(_open(host, port) for _ in range(min(_AT_ONCE, count - begin))))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(sum(reader.at_eof() for reader, _ in held), flush=True)
    for _, writer in held:
        writer.transport.abort()


async def _open(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /function/canary HTTP/1.1\r\nHost: h\r\n\r\n")
    await read_answer(reader, bodiless=False)
    return reader, writer


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(hold(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
