"""Fresh identifiers: random UUIDs, or UUIDs ordered by time with `?version=7`. `?count=` says how many."""

import os
import time
import uuid


def handle(event, context):
    """Return one identifier a line."""
    count, version = event.query.get("count", "1"), event.query.get("version", "4")
    if not count.isdigit() or not 1 <= int(count) <= 1000 or version not in ("4", "7"):
        return {"statusCode": 400, "body": "count must be from 1 to 1000, version 4 or 7\n"}
    make = _ordered if version == "7" else uuid.uuid4
    return "".join(f"{make()}\n" for _ in range(int(count)))


def _ordered():
    """Return a version 7 UUID (RFC 9562, section 5.7)."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (7 << 76)
    return uuid.UUID(int=value & ~(0x3 << 62) | (0x2 << 62))
