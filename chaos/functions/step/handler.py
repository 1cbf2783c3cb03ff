"""What flows call under chaos: says for which step of which run it runs, and doubles a number."""

import json
import time


def handle(event, context):
    told = {name.lower(): value for name, value in event.headers.items()}
    run, path, attempt = (told[f"x-dayfly-flow-{name}"] for name in ("run", "step", "attempt"))
    print("step", run, path, attempt, time.time_ns() // 1_000_000, flush=True)
    time.sleep(0.02)
    if path == "again" and attempt == "1":
        return {"statusCode": 503, "body": "not yet"}
    return {"n": json.loads(event.body)["n"] * 2}
