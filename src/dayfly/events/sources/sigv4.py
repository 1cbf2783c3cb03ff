"""AWS Signature Version 4, by which S3 and its likes know who asks.

A request is written down in one canonical way, and that text is signed with a key that is made of the secret, the day,
the region and the service (AWS, "Authenticating Requests (AWS Signature Version 4)"). The time is an argument.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from dayfly.model.trigger_secret import Credentials

EMPTY = hashlib.sha256().hexdigest()
"""What stands for a body that is empty."""
_ALGORITHM = "AWS4-HMAC-SHA256"


def signed(
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    *,
    credentials: Credentials,
    region: str,
    now: datetime,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers of a request without a body for S3: those given, in small letters, and those that sign it.

    `path` is not encoded yet; `now` is in UTC.
    """
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    sent = {name.lower(): value.strip() for name, value in (headers or {}).items()}
    sent |= {"host": host, "x-amz-content-sha256": EMPTY, "x-amz-date": stamp}
    if credentials.token:
        sent["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(sent))
    lines = [
        method,
        encoded(path),
        query_of(query),
        *(f"{name}:{sent[name]}" for name in sorted(sent)),
        "",
        names,
        EMPTY,
    ]
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{credentials.password}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()
    sent["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.user}/{scope},SignedHeaders={names},Signature={signature}"
    )
    return sent


def encoded(path: str) -> str:
    """Return the path as it is both sent and signed."""
    return quote(path, safe="/-_.~")


def query_of(query: Mapping[str, str]) -> str:
    """Return the query as it is both sent and signed."""
    parts = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in parts)
