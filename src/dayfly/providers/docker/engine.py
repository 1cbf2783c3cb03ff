"""The engine's HTTP API over its unix socket: Docker's, which Podman speaks too.

A small set of calls, JSON both ways, and three that stream: events, logs, pulls. What goes wrong comes as `Refusal`,
which the engine itself said, or as Unavailable, which means that it is away.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from dayfly.model.engine import ContainerEngine
from dayfly.model.errors import Unavailable

API = (1, 41)
"""The version that is spoken: Docker 20.10's and Podman 4's. A newer engine without it is asked for its oldest."""
ANSWER_S = 60.0
"""How long an answer may take: starting a container on a slow disk takes its time."""
CONNECT_S = 5.0
QUIET_S = 300.0
"""How long a pull may say nothing."""
_MAX_MESSAGE = 1_000


class Refusal(Exception):
    """The engine said no; the text is its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Silence(Unavailable):
    """Nothing more came for as long as was waited."""


class _Version(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What the engine says of itself."""

    version: str
    newest: str = msgspec.field(name="ApiVersion")
    oldest: str = msgspec.field(name="MinAPIVersion", default="1.12")
    components: tuple[dict[str, Any], ...] = ()


class Engine:
    """A connection to the engine at `path`; `open` it first."""

    def __init__(self, path: str) -> None:
        # Loaded when there is an engine to speak to: who has none should not carry it.
        import httpx2

        self.path = path
        self._base = ""
        self._http = httpx2
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=8)
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=path, limits=limits),
            base_url="http://engine",
            timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S, pool=None),
            trust_env=False,
        )

    async def open(self) -> ContainerEngine:
        """Agree on a version and return what the engine is. Raises Unavailable."""
        version: _Version = await self.ask("GET", "/version", kind=_Version)
        if _number(version.newest) < API:
            raise Unavailable(
                f"the engine at {self.path} speaks API {version.newest}; Dayfly needs {API[0]}.{API[1]}"
                " (Docker 20.10, Podman 4.0) or later"
            )
        spoken = max(API, _number(version.oldest))
        self._base = f"/v{spoken[0]}.{spoken[1]}"
        info: dict[str, Any] = await self.ask("GET", "/info")
        return _describe(self.path, version, info)

    async def close(self) -> None:
        """End every connection. Idempotent."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        kind: Any = Any,
        good: tuple[int, ...] = (),
    ) -> Any:
        """Return the answer as `kind`, None when it has no body. Statuses in `good` are no refusals.

        Raises Refusal, Unavailable.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if content is not None else {}
        with self._away():
            answer = await self._client.request(
                method, self._base + path, params=_query(query), content=content, headers=headers
            )
        if answer.status_code >= 400 and answer.status_code not in good:
            raise _refusal(answer.status_code, answer.content)
        return msgspec.json.decode(answer.content, type=kind) if answer.content.strip() and kind is not None else None

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        quiet_s: float | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the answer's body piece by piece, as it comes; `quiet_s` bounds the wait for a piece.

        Raises Refusal, Unavailable, also while it is read.
        """
        timeout = self._http.Timeout(ANSWER_S, connect=CONNECT_S, pool=None, read=quiet_s)
        with self._away():
            async with self._client.stream(
                method, self._base + path, params=_query(query), headers=headers, content=content, timeout=timeout
            ) as answer:
                if answer.status_code >= 400:
                    raise _refusal(answer.status_code, await answer.aread())
                yield answer.aiter_raw()

    @contextlib.contextmanager
    def _away(self) -> Iterator[None]:
        try:
            yield
        except self._http.ReadTimeout as error:
            raise Silence(f"the container engine at {self.path} does not answer: it has said nothing more") from error
        except self._http.HTTPError as error:
            what = str(error) or type(error).__name__
            raise Unavailable(f"the container engine at {self.path} does not answer: {what}") from error


def part(name: str) -> str:
    """Return a name or reference as a part of a path."""
    return quote(name, safe="/:@")


def _query(query: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the parameters as the engine reads them: filters in JSON, truth as 1 and 0."""
    shown: dict[str, str] = {}
    for name, value in (query or {}).items():
        if isinstance(value, dict):
            shown[name] = msgspec.json.encode(value).decode()
        else:
            shown[name] = str(int(value)) if isinstance(value, bool) else str(value)
    return shown


def _refusal(status: int, content: bytes) -> Refusal:
    try:
        message = str(msgspec.json.decode(content)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        message = content.decode(errors="replace")
    return Refusal(status, message.strip()[:_MAX_MESSAGE] or f"the engine answered {status}")


def _number(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(".")))
    except ValueError:
        raise Unavailable(f"the engine names an API version that is none: {text[:40]!r}") from None


def _describe(path: str, version: _Version, info: Mapping[str, Any]) -> ContainerEngine:
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    podman = any("Podman" in str(each.get("Name", "")) for each in version.components)
    missing = []
    for field, what in (
        ("MemoryLimit", "memory is not limited"),
        ("PidsLimit", "the number of processes is not limited"),
        ("CpuCfsQuota", "limits.cpu means nothing"),
    ):
        if not info.get(field):
            missing.append(f"the engine cannot set this limit: {what} for image functions")
    if not any(option.startswith("name=seccomp") and "unconfined" not in option for option in options):
        missing.append("the engine filters no system calls (seccomp): the kernel's whole surface is open to containers")
    return ContainerEngine(
        name="Podman" if podman else "Docker",
        version=version.version,
        socket=path,
        rootless="name=rootless" in options,
        missing=tuple(missing),
    )
