"""Answers as it was told to, to try retries, alerts and canaries.

`POST /set` with `{"status": 503, "delay": "200ms", "body": "…"}` sets it, and every other call is answered that way.
One replica keeps it in memory, which is why the deployment has exactly one.
"""

import re
import time

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0}
_state = {"status": 200, "delay_s": 0.0, "body": "OK\n"}


def handle(event, context):
    """Set the answer, or give it."""
    if event.path == "/set":
        return _set(event)
    time.sleep(_state["delay_s"])
    return {"statusCode": _state["status"], "body": _state["body"]}


def _set(event):
    try:
        wanted = event.json()
    except ValueError as error:
        return {"statusCode": 400, "body": f"{error}\n"}
    status, delay = wanted.get("status", 200), re.fullmatch(r"([0-9.]{1,8})(ms|s|m|)", str(wanted.get("delay", "0s")))
    if not isinstance(status, int) or not 200 <= status <= 599 or delay is None:
        return {"statusCode": 400, "body": "status must be from 200 to 599, delay a span of time as 200ms\n"}
    _state.update(status=status, delay_s=float(delay[1]) * _UNITS[delay[2]], body=str(wanted.get("body", "OK\n")))
    return {"statusCode": 202, "body": "set\n"}
