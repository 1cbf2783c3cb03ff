"""Requests to one registry: with its credentials, past its redirects, again when that may help.

Credentials go to the registry's own origin and to its token server, never to where a redirect or a `Location` points. A
registry whose certificate is not checked, because somebody said so, is alone in that: other hosts' are.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from dayfly import __version__
from dayfly.model.errors import DayflyError, InvalidRequest, NotFound
from dayfly.oci.credentials import Login
from dayfly.oci.manifest import MAX_BYTES
from dayfly.oci.registry import faults, retrying
from dayfly.oci.registry.endpoint import Endpoint, origin, target
from dayfly.oci.registry.request import MAX_REFUSAL, Answer, Body, Request, drain, read
from dayfly.oci.registry.tokens import Authorization

CONNECT_S = 10.0
SILENCE_S = 60.0
"""How long a registry may take to say something, or to take something."""
MAX_REDIRECTS = 5
T = TypeVar("T")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Session:
    """A conversation with one registry, as an async context; several requests may run at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        login: Login | None = None,
        *,
        silence_s: float = SILENCE_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self.endpoint = endpoint
        self._sleep = sleep
        self._spread = spread
        self._timeout = httpx2.Timeout(silence_s, connect=min(CONNECT_S, silence_s), pool=None)
        self._own = self._client(checked=False)
        self._other = self._client(checked=True) if endpoint.insecure else self._own
        self._base = httpx2.URL(f"https://{endpoint.host}")
        self._authorization = Authorization(endpoint, login, self._fetch)

    async def __aenter__(self) -> Self:
        """Find out how the registry is spoken to. Raises Unavailable, NotFound, Unauthenticated, ConfigError."""
        try:
            await self._greet()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """End all connections."""
        await self._close()

    def url(self, path: str, **query: str) -> httpx2.URL:
        """Return the address of a path of the API: `team/app/manifests/latest`."""
        return self._base.join(f"/v2/{path}").copy_with(params=httpx2.QueryParams(query) if query else None)

    def location(self, answer: Answer) -> httpx2.URL:
        """Return where an answer's Location points. Raises InvalidRequest when that is nowhere, or unencrypted.

        A registry behind a proxy that ends TLS may call itself http: it is meant as it was reached.
        """
        return target(answer.headers.get("location", ""), answer.url, self._base)

    def hide(self, text: bytes) -> bytes:
        """Return what a registry said without what only we and it should know."""
        return self._authorization.hide(text)

    async def ask(self, request: Request, *, limit: int = MAX_BYTES) -> Answer:
        """Return the answer, of at most `limit` bytes. Raises the error that a refusal stands for."""

        async def whole(answer: httpx2.Response) -> Answer:
            body = await read(answer, limit, request)
            return Answer(answer.status_code, answer.headers, body, answer.url)

        return await self._patiently(request, whole)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[httpx2.Response]:
        """Give the answer while it comes. Raises as `ask` does; also while it is read."""

        async def unread(answer: httpx2.Response) -> httpx2.Response:
            return answer

        answer = await self._patiently(request, unread)
        try:
            yield answer
        except httpx2.HTTPError as error:
            raise faults.broken(self.endpoint.name, error) from error
        finally:
            await answer.aclose()

    async def try_login(self) -> bool:
        """Show the login, unless the registry asks for none; return whether it did. Raises Unauthenticated."""
        if not self._authorization.is_asked:
            return False
        await self.ask(Request(doing="take the login", method="GET", url=self.url("")))
        return True

    async def pause(self, failures: int, error: DayflyError) -> None:
        """Wait before the next attempt after so many. Raises the error when waiting is of no use."""
        if not error.retryable or failures >= retrying.ATTEMPTS or error.retry_after_s > retrying.LONGEST_WAIT_S:
            raise error
        await self._sleep(retrying.wait_s(failures, error.retry_after_s, self._spread()))

    async def _patiently(self, request: Request, take: Callable[[httpx2.Response], Awaitable[T]]) -> T:
        """Return what `take` makes of a good answer."""
        failures = 0
        while True:
            try:
                answer = await self._open(request)
                if answer.status_code in request.good:
                    return await take(answer)
                error = await self._refusal(request, answer)
                may_pass = answer.status_code in retrying.AGAIN
            except httpx2.HTTPError as problem:
                error, may_pass = faults.broken(self.endpoint.name, problem), faults.may_pass(problem)
            failures += 1
            if not may_pass or failures >= request.attempts:
                raise error
            await self.pause(failures, error)

    async def _open(self, request: Request) -> httpx2.Response:
        """Return the first answer that is no redirect of a request which may be redirected."""
        url = request.url
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send(request, url)
            if answer.status_code not in _REDIRECTS or request.method not in ("GET", "HEAD"):
                return answer
            await drain(answer, request)
            url = target(answer.headers.get("location", ""), answer.url, self._base)
        raise InvalidRequest(f"{self.endpoint.name} redirects in circles: more than {MAX_REDIRECTS} times.")

    async def _send(self, request: Request, url: httpx2.URL) -> httpx2.Response:
        if origin(url) != origin(self._base):
            return await self._transmit(self._other, request, url)
        authorization = await self._authorization.header(request.scopes)
        answer = await self._transmit(self._own, request, url, authorization)
        if answer.status_code != 401:
            return answer
        renewed = await self._authorization.renewed(
            answer.headers.get_list("www-authenticate"), request.scopes, authorization
        )
        if not renewed:
            return answer
        await drain(answer, request)
        return await self._transmit(self._own, request, url, renewed)

    async def _transmit(
        self, client: httpx2.AsyncClient, request: Request, url: httpx2.URL, authorization: str = ""
    ) -> httpx2.Response:
        headers = dict(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Length"] = str(request.body.size)
        content = request.body.pieces() if request.body is not None else None
        return await client.send(
            client.build_request(request.method, url, headers=headers, content=content), stream=True, auth=None
        )

    async def _greet(self) -> None:
        for scheme in ("https", "http"):
            self._base = httpx2.URL(f"{scheme}://{self.endpoint.host}")
            request = Request(doing="be spoken to", method="GET", url=self.url(""))
            try:
                answer = await self._transmit(self._own, request, request.url)
                break
            except httpx2.HTTPError as error:
                if scheme == "http" or not self.endpoint.may_be_plain or not faults.may_be_plain(error):
                    raise faults.broken(self.endpoint.name, error) from error
        if answer.status_code == 401:
            self._authorization.learn(answer.headers.get_list("www-authenticate"))
        elif answer.status_code == 404:
            raise NotFound(f"{self.endpoint.name} answers, but is no registry: it has no /v2/.")
        elif answer.status_code >= 300 and answer.status_code not in retrying.AGAIN:
            raise await self._refusal(request, answer)
        await drain(answer, request)

    async def _fetch(self, method: str, url: httpx2.URL, headers: dict[str, str], body: bytes | None) -> bytes:
        """Ask a token server, with the credentials that are among the headers."""
        content = Body.of(body) if body is not None else None
        request = Request(doing="give a token", method=method, url=url, headers=headers, body=content)
        client = self._own if url.host == self._base.host else self._other
        failures = 0
        while True:
            try:
                answer = await self._transmit(client, request, url)
                if answer.status_code == 200:
                    return await read(answer, MAX_REFUSAL, request)
                error = await self._refusal(request, answer, whose=f"The token server {url.host}")
                may_pass = answer.status_code in retrying.AGAIN
            except httpx2.HTTPError as problem:
                error, may_pass = faults.broken(url.host, problem), faults.may_pass(problem)
            failures += 1
            if not may_pass:
                raise error
            await self.pause(failures, error)

    async def _refusal(self, request: Request, answer: httpx2.Response, *, whose: str = "") -> DayflyError:
        body = self.hide(await drain(answer, request))
        asked_s = retrying.retry_after_s(answer.headers)
        return faults.refusal(
            whose or self.endpoint.name,
            request.doing,
            answer.status_code,
            body,
            retry_after_s=asked_s,
            login=self._authorization.shown,
        )

    def _client(self, *, checked: bool) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=self.endpoint.trust(checked=checked),
            timeout=self._timeout,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=8),
            headers={"User-Agent": f"dayfly/{__version__}", "Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # A proxy of the environment has no business between us and this machine.
            trust_env=not self.endpoint.is_loopback,
        )

    async def _close(self) -> None:
        await self._own.aclose()
        await self._other.aclose()
