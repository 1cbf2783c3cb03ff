"""Notifications of S3 servers as events."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.events.s3_notification import notified_events


def record(name: str = "ObjectCreated:Put", key: str = "a+b%2Fc", **item: object) -> dict[str, object]:
    """Return a record as AWS documents it."""
    return {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-west-2",
        "eventTime": "1970-01-01T00:00:00.000Z", "eventName": name, "userIdentity": {"principalId": "AIDA"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "it",
            "bucket": {"name": "amzn-s3-demo-bucket", "arn": "arn:aws:s3:::amzn-s3-demo-bucket"},
            "object": {"key": key, "size": 1024, "eTag": "d41d8", "sequencer": "0055AED6DCD90281E5", **item},
        },
    }  # fmt: skip


def notification(*records: dict[str, object], **more: object) -> bytes:
    """Return a notification's body."""
    return json.dumps({**more, "Records": records}).encode()


def test_a_record_is_an_event() -> None:
    (event,) = notified_events(notification(record()))
    assert (event.type, event.subject) == ("com.dayfly.s3.object.created", "a b/c")
    assert (event.source, event.time) == ("s3://amzn-s3-demo-bucket", "1970-01-01T00:00:00.000Z")
    assert json.loads(event.data) == {
        "bucket": "amzn-s3-demo-bucket", "key": "a b/c", "etag": "d41d8", "modified": event.time, "size": 1024,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("s3:ObjectCreated:CompleteMultipartUpload", "com.dayfly.s3.object.created"),
        ("ObjectRemoved:DeleteMarkerCreated", "com.dayfly.s3.object.removed"),
        ("ObjectRestore:Completed", "com.dayfly.s3.objectrestore.completed"),
    ],
)
def test_names_of_all_servers_are_understood(name: str, kind: str) -> None:
    (event,) = notified_events(notification(record(name), EventName=name, Key="as MinIO has it"))
    assert event.type == kind


def test_a_record_that_comes_again_is_the_same_event_and_the_next_is_another() -> None:
    ids = [
        notified_events(notification(each))[0].id
        for each in (record(), record(), record(sequencer="0055AED6DCD90281E6"), record(key="other"))
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("body", [b"{}", b"", b"[]", b'{"Records": [{"Sns": {}}]}', b'{"Records": "no"}', b"\xff"])
def test_any_other_body_is_no_notification(body: bytes) -> None:
    assert notified_events(body) == []


@given(st.binary(max_size=100))
def test_any_bytes_are_taken(body: bytes) -> None:
    notified_events(body)
