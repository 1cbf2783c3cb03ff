"""Traffic tests' share of the driver: functions to aim at, where a listener is, and how large a run is wanted.

The short form of each test is part of `make test-long`. With DAYFLY_TEST_TRAFFIC=full they run at the size that the
promises name.
"""

import json
import os
import re
import sys

from tests.system.driver import Platform

FULL = os.environ.get("DAYFLY_TEST_TRAFFIC") == "full"

CANARY = """
import itertools
calls = itertools.count()
def handle(event, context):
    if event.path.startswith("/how-many-were-there"):
        return str(next(calls))
    next(calls)
    return b"canary"
"""

BODIES = """
PIECE = bytes(1 << 20)

async def app(scope, receive, send):
    size = 0
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["method"] == "GET":
        size = int(scope["path"].rpartition("/")[2])
        length = (b"content-length", b"%d" % size)
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        while size:
            piece = PIECE[: min(size, len(PIECE))]
            size -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": size > 0})
        return
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % size})
"""

ONE = ("--label", "com.openfaas.scale.min=1", "--label", "com.openfaas.scale.max=1")


def address(platform: Platform, listener: str = "gateway_url") -> tuple[str, int]:
    """Return the host and port of a listener."""
    found = re.fullmatch(r"http://(.*):(\d+)", platform.status()[listener])
    assert found is not None
    return found[1].strip("[]"), int(found[2])


def tell(**figures: object) -> None:
    """Write what was measured as a line of JSON, to be seen with `pytest -s`."""
    sys.stdout.write(json.dumps(figures) + "\n")
