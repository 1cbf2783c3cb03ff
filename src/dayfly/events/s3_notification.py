"""What a server for S3 tells of its buckets by itself, as events like those of a bucket that is listed.

AWS, MinIO and Ceph send the same form, a list of records (AWS, "Event message structure"). A key in it is encoded as a
query is; a sequencer tells what happened to one key apart from what happened to it next.
"""

import hashlib
from urllib.parse import unquote_plus

import msgspec

from dayfly.model.event import Event

CREATED, REMOVED = "com.dayfly.s3.object.created", "com.dayfly.s3.object.removed"
MAX_RECORDS = 1_000


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct, rename="camel"):
    key: str
    size: int = 0
    e_tag: str = ""
    sequencer: str = ""


class _S3(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _Record(msgspec.Struct, rename="camel"):
    event_name: str
    s3: _S3
    event_time: str = ""


class _Notification(msgspec.Struct):
    records: list[_Record] = msgspec.field(name="Records")


def notified_events(body: bytes) -> list[Event]:
    """Return the events that a notification tells of; none for any other body."""
    try:
        told = msgspec.json.decode(body, type=_Notification)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return [_event(record) for record in told.records[:MAX_RECORDS]]


def _event(record: _Record) -> Event:
    bucket, item = record.s3.bucket.name, record.s3.object
    key = unquote_plus(item.key)
    what = {"bucket": bucket, "key": key, "etag": item.e_tag, "modified": record.event_time, "size": item.size}
    names = (record.event_name, bucket, key, item.sequencer or f"{item.e_tag} {record.event_time}")
    return Event(
        id=hashlib.sha256("\n".join(names).encode()).hexdigest()[:32],
        source=f"s3://{bucket}",
        type=_type(record.event_name.removeprefix("s3:")),
        subject=key,
        time=record.event_time,
        content_type="application/json",
        data=msgspec.json.encode(what),
    )


def _type(name: str) -> str:
    """Return the type of `ObjectCreated:Put`, of which it does not matter how it was created."""
    kind = name.partition(":")[0]
    known = {"ObjectCreated": CREATED, "ObjectRemoved": REMOVED}
    return known.get(kind) or "com.dayfly.s3." + "".join(
        letter for letter in name.lower().replace(":", ".") if letter.isascii() and (letter.isalnum() or letter == ".")
    )
