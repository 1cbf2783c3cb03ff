"""Fetching a file that somebody named by its URL, where what it says is built or run afterwards.

From elsewhere it comes by https only, because on plain http anybody on the way may change it; this machine may be asked
in plain text. Redirects are followed under the same rule.
"""

from urllib.parse import urljoin, urlsplit

import httpx2

from dayfly import __version__
from dayfly.client.gateway import LOOPBACK
from dayfly.model.errors import InvalidRequest, Unavailable

_TIMEOUT_S = 30.0
_MAX_REDIRECTS = 5


def fetch(url: str, *, max_bytes: int) -> bytes:
    """Return what is at the URL, and of more than `max_bytes` the beginning, longer than that.

    Raises InvalidRequest for a URL that is none, is not safe, or is answered with anything but 200; Unavailable when
    its server does not answer within 30 s.
    """
    headers = {"User-Agent": f"dayfly/{__version__}", "Accept-Encoding": "identity"}
    try:
        with httpx2.Client(timeout=_TIMEOUT_S, headers=headers) as client:
            for _ in range(_MAX_REDIRECTS + 1):
                _check_way(url)
                with client.stream("GET", url) as response:
                    if not response.is_redirect:
                        return _body(url, response, max_bytes)
                    url = urljoin(url, response.headers.get("Location", ""))
    except (httpx2.InvalidURL, ValueError) as error:
        raise InvalidRequest(f"{url[:200]!r} is not a URL: {error}.") from error
    except httpx2.HTTPError as error:
        raise Unavailable(f"{url} cannot be fetched: {str(error) or type(error).__name__}.") from error
    raise Unavailable(f"{url} cannot be fetched: it leads on more than {_MAX_REDIRECTS} times.")


def _body(url: str, response: httpx2.Response, max_bytes: int) -> bytes:
    if response.status_code != 200:
        raise InvalidRequest(f"{url} cannot be read: its server answered {response.status_code}.")
    body = b""
    for piece in response.iter_raw():
        body += piece
        if len(body) > max_bytes:
            break
    return body


def _check_way(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme.lower() == "https" or (parts.scheme.lower() == "http" and parts.hostname in LOOPBACK):
        return
    raise InvalidRequest(
        f"{url[:200]} is not fetched: what it says is built and run, and on plain http anybody may change it.",
        hint="Use https, or fetch it yourself, look at it, and name the file.",
    )
