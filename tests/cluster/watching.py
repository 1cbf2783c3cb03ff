"""A watch of the double: what is there or what changed since a version, bookmarks, and how it ends."""

from __future__ import annotations

import asyncio
import bisect
import json
from typing import TYPE_CHECKING, Any

from tests.cluster.registry import Change
from tests.cluster.resources import Object, Refused, Resource, fields_match, labels_match

if TYPE_CHECKING:
    from tests.cluster.server import Double

_DEFAULT_S = 300


async def watch(
    double: Double, resource: Resource, namespace: str, params: dict[str, str], receive: Any, send: Any
) -> None:
    """Send the watch's events until it ends."""
    registry, begin = double.registry, params.get("resourceVersion", "")
    if not (begin or "0").isdecimal():
        text = f'resourceVersion: Invalid value: "{begin}": strconv.ParseUint: parsing "{begin}": invalid syntax'
        raise Refused(500, "", text)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.ensure_future(disconnected(receive))
    epoch, bookmarks = double.epoch, double.bookmarks
    loop = asyncio.get_running_loop()
    until = loop.time() + float(params.get("timeoutSeconds") or _DEFAULT_S)
    takes_bookmarks = params.get("allowWatchBookmarks") in ("true", "1")
    with double.waking(f"{namespace}/{resource.plural}") as woken:
        try:
            if begin in ("", "0"):
                with registry.lock:
                    last = registry.version
                    found = [each for each in registry.all(resource, namespace) if _matches(each, resource, params)]
                for each in found:
                    await _event(send, "ADDED", each)
            else:
                last = int(begin)
            while True:
                woken.clear()
                if double.deaf:
                    await gone
                    break
                with registry.lock:
                    is_late = last < registry.floor
                    position = bisect.bisect_right(registry.history, last, key=lambda change: change.version)
                    changes = registry.history[position:]
                    current = registry.version
                if is_late:
                    await _event(send, "ERROR", _expired(last, registry.floor))
                    break
                for change in changes:
                    if event := _told(change, resource, namespace, params):
                        await _event(send, *event)
                last = max(last, current)
                if double.bookmarks > bookmarks and takes_bookmarks:
                    bookmarks = double.bookmarks
                    await _event(send, "BOOKMARK", _bookmark(resource, last))
                if double.epoch > epoch or double.away or gone.done():
                    break
                timer = loop.call_at(until, woken.set)
                gone.add_done_callback(lambda _: woken.set())
                await woken.wait()
                timer.cancel()
                if loop.time() >= until:
                    break
        finally:
            gone.cancel()
    if double.away or (double.epoch > epoch and double.drops):
        return  # the answer is not finished, so uvicorn closes the connection
    await send({"type": "http.response.body", "body": b""})


async def disconnected(receive: Any) -> None:
    """Return when the other side has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _event(send: Any, type_: str, obj: Object) -> None:
    line = json.dumps({"type": type_, "object": obj}, separators=(",", ":")).encode() + b"\n"
    await send({"type": "http.response.body", "body": line, "more_body": True})


def _told(change: Change, resource: Resource, namespace: str, params: dict[str, str]) -> tuple[str, Object] | None:
    """Return the event as one who selects sees it: what no longer matches is gone for him, what does now is new."""
    if change.key[0] != resource.name or namespace not in ("", change.key[1]):
        return None
    was = change.before is not None and _matches(change.before, resource, params)
    now = change.type != "DELETED" and _matches(change.after, resource, params)
    shown = {**change.after, "apiVersion": resource.api_version}
    if now:
        return ("MODIFIED" if was else "ADDED"), shown
    if not was or change.before is None:
        return None
    # As whoever selects knew it, with the version of what took it from them.
    version = change.after["metadata"]["resourceVersion"]
    meta = {**change.before["metadata"], "resourceVersion": version}
    return "DELETED", {**change.before, "apiVersion": resource.api_version, "metadata": meta}


def _matches(obj: Object, resource: Resource, params: dict[str, str]) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return labels_match(params.get("labelSelector", ""), labels) and fields_match(
        params.get("fieldSelector", ""), obj, resource
    )


def _bookmark(resource: Resource, version: int) -> Object:
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"resourceVersion": str(version)}}


def _expired(begin: int, floor: int) -> Object:
    text = f"too old resource version: {begin} ({floor})"
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text,
            "reason": "Expired", "code": 410}  # fmt: skip
