"""Calls that a function makes of other functions say how deep they are, without its author's doing.

Whatever is built on `http.client` does: urllib, urllib3, requests, boto3. The header is added where a path begins as
functions' do, or begins a flow or posts events, and nowhere else, so that no stranger is told. A thread that a handler
starts itself serves no call, and adds nothing; nor do libraries that speak HTTP on their own, as httpx and aiohttp.
Their calls have to pass on the header that came, as calls by a route of one's own have to.
"""

import re
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

from dayfly.model.depth import HEADER
from dayfly.runtimes.python import output

_ONWARD = re.compile(
    r"(?:https?://[^/]*)?/(?:(?:async-)?function/"
    r"|v1/namespaces/[^/]+/(?:events|flows/[^/]+/runs|flow-runs/[^/]+/rerun)(?:\?|$))",
    re.IGNORECASE,
)
_NAME = HEADER.lower().encode()
_INSTALLED = "_dayfly_says_depth"


def install() -> None:
    """Have calls say how deep they are from now on. Idempotent."""
    if not hasattr(HTTPConnection, _INSTALLED):
        setattr(HTTPConnection, _INSTALLED, True)
        HTTPConnection.putrequest = _telling(HTTPConnection.putrequest)  # type: ignore[method-assign]  # that is the point


def _telling(putrequest: Callable[..., None]) -> Callable[..., None]:
    def telling(self: HTTPConnection, method: str, url: str, *arguments: Any, **options: Any) -> None:
        putrequest(self, method, url, *arguments, **options)
        call = output.current.get()
        depth = call.header(_NAME) if call is not None and _ONWARD.match(url) else b""
        if depth:
            self.putheader(HEADER, depth)

    return telling
