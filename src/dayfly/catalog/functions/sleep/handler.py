"""Sleeps, to try timeouts and scaling: 2 seconds, or what X-Sleep or the body says (`500ms`, `1.5s`, `3`)."""

import re
import time

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0}


def handle(event, context):
    """Return how long it slept, in words."""
    wanted = (event.headers.get("X-Sleep") or event.body.decode("utf-8", "replace")).strip() or "2s"
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s|m|)", wanted)
    if match is None:
        return {"statusCode": 400, "body": f"{wanted[:40]!r} is not a span of time; write for example 500ms or 2s\n"}
    seconds = float(match[1]) * _UNITS[match[2]]
    print(f"Sleeping for {seconds:g}s")
    time.sleep(seconds)
    return f"Slept for {seconds:g}s\n"
