"""Calls an address many times and says how long that took: a small load generator.

The body is the address, or JSON: `{"url": "…", "calls": 200, "workers": 10}`.
"""

import http.client
import statistics
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

_MOST_CALLS, _MOST_WORKERS = 10_000, 64


def handle(event, context):
    """Return counts by status and the times in milliseconds."""
    try:
        wanted = event.json() if event.body.lstrip().startswith(b"{") else {"url": event.text.strip()}
        url, calls, workers = str(wanted["url"]), int(wanted.get("calls", 200)), int(wanted.get("workers", 10))
    except (ValueError, KeyError, TypeError):
        return {"statusCode": 400, "body": "write an address, or JSON with url, calls and workers\n"}
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        return {"statusCode": 400, "body": "url must begin with http:// or https://\n"}
    if not 1 <= calls <= _MOST_CALLS or not 1 <= workers <= _MOST_WORKERS:
        return {"statusCode": 400, "body": f"at most {_MOST_CALLS} calls by {_MOST_WORKERS} workers\n"}
    return _load(url, calls, workers, time.monotonic() + context.remaining_s * 0.9)


def _load(url, calls, workers, until):
    left, lock = [calls], threading.Lock()
    outcomes, times_ms = Counter(), []

    def work():
        while time.monotonic() < until:
            with lock:
                if not left[0]:
                    return
                left[0] -= 1
            began = time.monotonic()
            outcome = _call(url, until - began)
            with lock:
                outcomes[outcome] += 1
                times_ms.append((time.monotonic() - began) * 1000)

    threads = [threading.Thread(target=work) for _ in range(min(workers, calls))]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - began
    cuts = statistics.quantiles(times_ms, n=100) if len(times_ms) > 1 else times_ms * 99
    return {
        "calls": len(times_ms),
        "per_second": round(len(times_ms) / took_s, 1),
        "statuses": dict(outcomes),
        "milliseconds": {f"p{p}": round(cuts[p - 1], 2) for p in (50, 95, 99)} if cuts else {},
    }


def _call(url, timeout_s):
    try:
        with urllib.request.urlopen(url, timeout=max(0.1, timeout_s)) as answer:
            answer.read()
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        return type(getattr(error, "reason", error)).__name__
