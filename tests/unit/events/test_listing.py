"""Answers of S3 servers, and of those that are none."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.events.sources.listing import Listed, Unreadable, code_of, page_of

PAGE = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><EncodingType>url</EncodingType>
<IsTruncated>%s</IsTruncated><NextContinuationToken>t/1==</NextContinuationToken><KeyCount>2</KeyCount>
<Contents><Key>a%%0Ab+c%%2B</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e1&quot;</ETag>
<Size>7</Size><Owner><ID>x</ID></Owner></Contents><Contents><Key>d</Key><Size>0</Size></Contents>
<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>"""


def test_objects_are_read_with_their_keys_decoded() -> None:
    page = page_of(PAGE % b"true")
    assert page.objects == (
        Listed(key="a\nb c+", etag="e1", modified="2026-01-02T03:04:05.000Z", size=7),
        Listed(key="d", etag="", modified="", size=0),
    )
    assert page.next == "t/1=="


def test_the_last_page_has_no_next() -> None:
    assert page_of(PAGE % b"false").next == ""


def test_keys_that_are_not_encoded_are_taken_as_they_are() -> None:
    body = b"<ListBucketResult><Contents><Key>a+%2F</Key></Contents></ListBucketResult>"
    assert page_of(body).objects[0].key == "a+%2F"


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        b"<x>",
        b"",
        b"<ListBucketResult><Contents><Size>many</Size></Contents></ListBucketResult>",
    ],
)
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        page_of(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_refused(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        page_of(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>", "AccessDenied"),
        (b"<Error><Code>Access\nDenied</Code></Error>", ""),
        (b"<html>", ""),
    ],
)
def test_an_error_s_code_is_read_if_it_is_one(body: bytes, code: str) -> None:
    assert code_of(body) == code
