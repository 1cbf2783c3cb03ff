"""How both clients reach a gateway: timeouts, certificates, proxies and the headers of every request.

The credential goes with API calls only. A function is called without it, because the gateway passes a caller's
Authorization header on to the function, which is somebody else's code.
"""

import os
import socket
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from dayfly import __version__
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.errors import ConfigError
from dayfly.model.function import MAX_TIMEOUT_S

CONNECT_TIMEOUT_S = 5.0
"""How long a gateway may take to accept a connection."""
API_TIMEOUT_S = 60.0
"""How long an API call may stay silent."""
INVOKE_TIMEOUT_S = MAX_TIMEOUT_S + 60
"""How long a function may stay silent: longer than any function's own timeout, which is the one that should strike."""

_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]


def timeouts(silence_s: float) -> httpx2.Timeout:
    """Return the limits for a call that may stay silent for `silence_s` seconds."""
    return httpx2.Timeout(silence_s, connect=min(CONNECT_TIMEOUT_S, silence_s))


def api_headers(target: Target, content_type: str = "") -> dict[str, str]:
    """Return the headers of an API call, credential included."""
    headers = {"User-Agent": f"dayfly/{__version__}", "Accept-Encoding": "identity"}
    if target.credential is not None:
        headers["Authorization"] = target.credential.authorization
    if content_type:
        headers["Content-Type"] = content_type
    return headers


def call_headers(target: Target, call: Call[Any]) -> dict[str, str]:
    """Return the headers of a call: a function's without our credential."""
    headers = dict(call.headers)
    return invoke_headers(headers) if call.is_function else api_headers(target, call.content_type) | headers


def invoke_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a function call: the caller's, over ours. Never the credential."""
    names = {name.lower() for name in headers}
    ours = {"User-Agent": f"dayfly/{__version__}", "Accept-Encoding": "identity"}
    return {**{name: value for name, value in ours.items() if name.lower() not in names}, **headers}


def no_cookies() -> CookieJar:
    """Return a jar that keeps nothing: what one function sets must not be told to the next."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def open_async_http(target: Target, ca_file: str, given: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
    """Return the HTTP client for asyncio; a transport that is given takes the network's place."""
    direct = given or async_transport(target, ca_file)
    if direct is not None:
        return httpx2.AsyncClient(transport=direct, trust_env=False, cookies=no_cookies())
    return httpx2.AsyncClient(verify=trust(target, ca_file), cookies=no_cookies())


def open_http(target: Target, ca_file: str, given: httpx2.BaseTransport | None) -> httpx2.Client:
    """Return the blocking HTTP client; a transport that is given takes the network's place."""
    direct = given or transport(target, ca_file)
    if direct is not None:
        return httpx2.Client(transport=direct, trust_env=False, cookies=no_cookies())
    return httpx2.Client(verify=trust(target, ca_file), cookies=no_cookies())


def async_transport(target: Target, ca_file: str) -> httpx2.AsyncHTTPTransport | None:
    """Return the transport for asyncio, None where the proxies of the environment are to be used."""
    if not _is_direct(target):
        return None
    return httpx2.AsyncHTTPTransport(verify=trust(target, ca_file), trust_env=False, socket_options=_KEEPALIVE)


def transport(target: Target, ca_file: str) -> httpx2.HTTPTransport | None:
    """Return the blocking transport, None where the proxies of the environment are to be used."""
    if not _is_direct(target):
        return None
    return httpx2.HTTPTransport(verify=trust(target, ca_file), trust_env=False, socket_options=_KEEPALIVE)


def trust(target: Target, ca_file: str = "") -> ssl.SSLContext | bool:
    """Return what certificates are trusted: the system's, or those of `ca_file` (or `DAYFLY_CA_FILE`), or any at all.

    Raises ConfigError when that file is none.
    """
    path = ca_file or os.environ.get("DAYFLY_CA_FILE", "")
    if target.url.startswith("http://"):
        # An empty context: reading the system's certificates would be the slowest part of a plain-text call.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not target.is_verified:
        return False
    if not path:
        return True
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{path} holds no certificates to trust: {error}.") from error


def _is_direct(target: Target) -> bool:
    """Whether no proxy is to be asked: never for this machine, where a proxy would only see our tokens."""
    names = ("http_proxy", "https_proxy", "all_proxy")
    has_proxy = any(os.environ.get(name) or os.environ.get(name.upper()) for name in names)
    return target.is_loopback or not has_proxy
