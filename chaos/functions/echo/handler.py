"""What chaos calls: it says who it is, says in its log which call it worked on, and gives the body back.

`?ms=N` makes the call last. The log line is the proof of how often a call was worked on: it is in a pipe, and so
outside the process, before anything can kill it.
"""

import os
import time

REVISION = os.environ["DAYFLY_REVISION"]
VERSION = os.environ.get("VERSION", "")


def handle(event, context):
    body = event.body
    print("worked", body[:40].split(b" ", 1)[0].decode())
    wait_ms = int(event.query.get("ms") or 0)
    if wait_ms:
        time.sleep(wait_ms / 1000)
    headers = {"X-Revision": REVISION, "X-Version": VERSION, "X-Replica": context.hostname}
    return {"statusCode": 200, "headers": headers, "body": body}
