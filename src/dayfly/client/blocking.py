"""The client for programs without asyncio: every method is one call of the API. See `asynchronous` for a loop's."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from dayfly.client import calls
from dayfly.client.answer import Answer, AnswerStream
from dayfly.client.bundle import Bundle
from dayfly.client.calls import Call, Reply
from dayfly.client.connection import (
    API_TIMEOUT_S,
    INVOKE_TIMEOUT_S,
    call_headers,
    invoke_headers,
    open_http,
    timeouts,
)
from dayfly.client.credentials import Credential
from dayfly.client.faults import foreign_errors
from dayfly.client.flowing import Flowing
from dayfly.client.following import Following
from dayfly.client.gateway import Target, choose_target
from dayfly.client.log_lines import LogLines
from dayfly.client.querying import Querying
from dayfly.client.queueing import Queueing
from dayfly.client.recording import Recording
from dayfly.client.sourcing import Sourcing
from dayfly.client.store import Store
from dayfly.client.tenancy import Tenancy
from dayfly.model.function import FunctionSpec
from dayfly.model.log import LogLine
from dayfly.model.rollout import Canary
from dayfly.model.secret import KeyRotation, SecretMode, SecretStatus
from dayfly.model.status import BundleReceipt, FunctionStatus, PlatformInfo
from dayfly.model.usage import Usage

T = TypeVar("T")


class Client(Tenancy, Store, Queueing, Recording, Flowing, Querying, Sourcing, Following):
    """A connection to one gateway. Use it in a `with` block, or `close()` it.

    `url` empty: the gateway is chosen as the command line chooses it (see `client.gateway`), and so is the credential
    when none is given. `timeout_s` is how long an API call may stay silent. `ca_file` names the certificates to trust
    instead of the system's. A `target` chosen before takes the place of `url`; a `transport` of httpx2 that of the
    network, in tests. `namespace` is the one that is meant where a call names none: the login's own, else openfaas-fn.

    Every method raises Unavailable when the gateway cannot be reached or does not answer in time, Unauthenticated
    without a good credential, and the error that the gateway's problem names. A function is named `NAME` or
    `NAME.NAMESPACE`, or by `namespace` beside its name.
    """

    def __init__(
        self,
        url: str = "",
        *,
        credential: Credential | None = None,
        namespace: str = "",
        timeout_s: float = API_TIMEOUT_S,
        ca_file: str = "",
        target: Target | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._target = (target or choose_target(url)).with_own(credential, namespace)
        self._timeout_s = timeout_s
        self._http = open_http(self._target, ca_file, transport)

    @property
    def url(self) -> str:
        """The gateway's URL."""
        return self._target.url

    @property
    def namespace(self) -> str:
        """The namespace that is meant where a call names none."""
        return self._target.own_namespace

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._http.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Close the connections."""
        self.close()

    def health(self) -> bool:
        """Return whether the gateway and the control plane behind it answer."""
        return self._send(calls.health())

    def info(self) -> PlatformInfo:
        """Return what the installation says of itself."""
        return self._send(calls.info())

    def list_functions(self, namespace: str = "") -> list[FunctionStatus]:
        """Return a namespace's functions, sorted by name."""
        return self._send(calls.list_functions(self._target.namespace(namespace)))

    def get_usage(self, namespace: str = "") -> Usage:
        """Return what a namespace's functions do and use, for rates between two looks."""
        return self._send(calls.get_usage(self._target.namespace(namespace)))

    def get_function(self, name: str, *, namespace: str = "") -> FunctionStatus:
        """Return one function. Raises NotFound."""
        return self._send(calls.get_function(self._target.key(name, namespace)))

    def deploy(self, spec: FunctionSpec, *, canary: Canary | None = None) -> FunctionStatus:
        """Make the function what the spec says, new or not; its bundle must have been uploaded.

        Returns before a replica is ready. With a canary it first gets a part of the calls only.
        Raises InvalidSpec, BuildFailed, QuotaExceeded, NotFound for a namespace that is not there.
        """
        return self._send(calls.deploy(spec, canary))

    def remove(self, name: str, *, namespace: str = "") -> None:
        """Take the function and its replicas away. Raises NotFound."""
        self._send(calls.remove(self._target.key(name, namespace)))

    def scale(self, name: str, replicas: int | None, *, namespace: str = "") -> FunctionStatus:
        """Set the number of replicas by hand; None gives it back to the scaler. Raises NotFound, InvalidRequest."""
        return self._send(calls.scale(self._target.key(name, namespace), replicas))

    def rollback(
        self, name: str, *, to: int | None = None, canary: Canary | None = None, namespace: str = ""
    ) -> FunctionStatus:
        """Let an earlier revision serve again, by default the one before; that also ends a rollout under way.

        Returns before it has taken over. Raises NotFound, InvalidRequest, Conflict.
        """
        return self._send(calls.rollback(self._target.key(name, namespace), to, canary))

    def promote(self, name: str, *, namespace: str = "") -> FunctionStatus:
        """Let a canary under way take over now. Raises NotFound, Conflict when there is none."""
        return self._send(calls.promote(self._target.key(name, namespace)))

    def list_secrets(self, namespace: str = "") -> list[SecretStatus]:
        """Return a namespace's secrets, sorted by name, without what is in them."""
        return self._send(calls.list_secrets(self._target.namespace(namespace)))

    def put_secret(
        self, name: str, content: bytes, *, namespace: str = "", mode: SecretMode = "upsert"
    ) -> SecretStatus:
        """Write a secret, byte for byte; functions that use it are given the new content.

        Raises Conflict (create, and it exists), NotFound (update, and it does not), InvalidRequest, SecretsLocked.
        """
        return self._send(calls.put_secret(name, self._target.namespace(namespace), content, mode))

    def remove_secret(self, name: str, *, namespace: str = "", force: bool = False) -> None:
        """Take a secret away. Raises NotFound, Conflict while a function uses it unless forced."""
        self._send(calls.remove_secret(name, self._target.namespace(namespace), force=force))

    def rotate_key(self) -> KeyRotation:
        """Have all secrets encrypted anew under a new key. Raises SecretsLocked, NotSupported."""
        return self._send(calls.rotate_key())

    def has_bundle(self, digest: str, *, namespace: str = "") -> bool:
        """Return whether the namespace has this bundle already. Raises InvalidName."""
        return self._send(calls.has_bundle(digest, self._target.namespace(namespace)))

    def upload(self, bundle: Bundle, *, namespace: str = "") -> BundleReceipt:
        """Upload a bundle, unless the namespace has it already. Raises PayloadTooLarge, InvalidRequest."""
        if self.has_bundle(bundle.digest, namespace=namespace):
            return BundleReceipt(bundle.digest, len(bundle.data))
        return self._send(calls.put_bundle(bundle, self._target.namespace(namespace)))

    def logs(
        self,
        name: str,
        *,
        namespace: str = "",
        since: str = "",
        tail: int = -1,
        follow: bool = False,
        instance: str = "",
    ) -> Iterator[LogLine]:
        """Yield the function's log lines, oldest first; with `follow` for ever, as they are written.

        `since` is a duration (`10m`) or an RFC 3339 time, `tail` the number of last lines (-1: all of them),
        `instance` one replica's id. Raises NotFound, InvalidRequest.
        """
        call = calls.logs(self._target.key(name, namespace), since=since, tail=tail, follow=follow, instance=instance)
        silence_s = INVOKE_TIMEOUT_S if follow else self._timeout_s
        lines = LogLines(LogLine)
        for piece in self._stream(call, silence_s):
            yield from lines.feed(piece)
        yield from lines.finish()

    def invoke(
        self,
        name: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        namespace: str = "",
        method: str = "POST",
        path: str = "",
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        timeout_s: float = INVOKE_TIMEOUT_S,
    ) -> Answer:
        """Call a function and return its whole answer, whatever its status.

        `path` is what follows the function's name in the URL. The client's credential is not sent: a function sees
        only the headers given here. `timeout_s` is how long it may stay silent; its own timeout strikes first unless
        this is shorter. `Answer.raise_for_status` turns a failure into an error.
        """
        stream = self.stream(
            name, body, namespace=namespace, method=method, path=path, query=query, headers=headers, timeout_s=timeout_s
        )
        with stream as answer:
            content = b"".join(answer)
        return Answer(answer.function, answer.status, answer.headers, content)

    @contextmanager
    def stream(
        self,
        name: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        namespace: str = "",
        method: str = "POST",
        path: str = "",
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        timeout_s: float = INVOKE_TIMEOUT_S,
        queued: bool = False,
    ) -> Iterator[AnswerStream]:
        """Call a function as `invoke` does, and read its answer as it comes; use it in a `with` block.

        `queued` has the call made later: the answer is then the gateway's own, 202.
        """
        key = self._target.key(name, namespace)
        request = self._http.build_request(
            method,
            self.url + calls.function_path(key, path, queued=queued),
            params=list(query) or None,
            content=body,
            headers=invoke_headers(headers or {}),
            timeout=timeouts(timeout_s),
        )
        with self._open(request, timeout_s) as response:
            chunks = self._chunks(response, timeout_s)
            yield AnswerStream(str(key), response.status_code, tuple(response.headers.multi_items()), chunks)

    def _stream(self, call: Call[None], silence_s: float = API_TIMEOUT_S) -> Iterator[bytes]:
        with self._open(self._request(call, silence_s), silence_s) as response:
            if response.status_code not in call.expected:
                call.finish(self._read(response))
            yield from self._chunks(response, silence_s)

    def _send(self, call: Call[T]) -> T:
        with self._open(self._request(call, self._timeout_s), self._timeout_s) as response:
            return call.finish(self._read(response))

    def _request(self, call: Call[T], silence_s: float) -> httpx2.Request:
        return self._http.build_request(
            call.method,
            self.url + call.path,
            params=list(call.query) or None,
            content=call.content or None,
            headers=call_headers(self._target, call),
            timeout=timeouts(silence_s),
        )

    @contextmanager
    def _open(self, request: httpx2.Request, silence_s: float) -> Iterator[httpx2.Response]:
        with foreign_errors(self._target, silence_s):
            response = self._http.send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _chunks(self, response: httpx2.Response, silence_s: float) -> Iterator[bytes]:
        if response.is_stream_consumed:
            # A test's transport may answer with a body that is whole already.
            yield response.content
            return
        with foreign_errors(self._target, silence_s):
            yield from response.iter_raw()

    def _read(self, response: httpx2.Response) -> Reply:
        with foreign_errors(self._target, self._timeout_s):
            response.read()
        return Reply(response.status_code, dict(response.headers), response.content)
