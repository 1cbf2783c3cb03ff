"""Signatures of requests to S3, against those that AWS publishes."""

from datetime import UTC, datetime

import pytest

from dayfly.events.sources.sigv4 import query_of, signed
from dayfly.model.trigger_secret import Credentials

WHO = Credentials(user="AKIAIOSFODNN7EXAMPLE", password="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
WHEN = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("path", "query", "headers", "signature"),
    [
        (
            "/test.txt", {}, {"Range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/", {"lifecycle": ""}, {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "/", {"prefix": "J", "max-keys": "2"}, {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)  # fmt: skip
def test_requests_of_the_documentation_have_the_signatures_it_gives(
    path: str, query: dict[str, str], headers: dict[str, str], signature: str
) -> None:
    sent = signed("GET", HOST, path, query, credentials=WHO, region="us-east-1", now=WHEN, headers=headers)
    assert sent["authorization"].endswith(f",Signature={signature}")
    assert WHO.password not in str(sent)


def test_a_session_s_token_is_sent_and_signed() -> None:
    who = Credentials(user="A", password="B", token="C")
    sent = signed("GET", HOST, "/", {}, credentials=who, region="eu-1", now=WHEN)
    assert sent["x-amz-security-token"] == "C"
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token," in sent["authorization"]


def test_a_query_is_ordered_and_encoded_as_it_is_signed() -> None:
    assert query_of({"prefix": "a b/ä+", "list-type": "2"}) == "list-type=2&prefix=a%20b%2F%C3%A4%2B"
