"""A builder elsewhere, to which sources are sent and which tells how the build goes: OpenFaaS's, or a Dayfly.

    POST /build         the archive, signed: X-Build-Signature: sha256=HMAC of it with the payload secret
    GET /publickey      the key that secrets of a build are sealed for

The answer is a line of JSON for each thing that happens, the last of which says how it ended. One that ends before says
nothing about the image, so that it counts as a failure.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx2
import msgspec

from dayfly.client.connection import API_TIMEOUT_S, open_http, timeouts
from dayfly.client.faults import error_from_reply, foreign_errors
from dayfly.client.gateway import Target, normalise_url
from dayfly.model.builder import BuilderKey
from dayfly.model.errors import BuildFailed, DayflyError, InvalidRequest, Unauthenticated, Unavailable
from dayfly.oci.sealing import read_key

SILENCE_S = 1860.0
"""How long a builder may say nothing: longer than a Dayfly lets the steps of a Dockerfile take."""
_MAX_LINE_BYTES = 1024 * 1024
_MAX_REFUSAL_BYTES = 64 * 1024
_CHUNK = 1024 * 1024
_OTHER = "Name another builder with --remote-builder or OPENFAAS_REMOTE_BUILDER."


class _Line(msgspec.Struct):
    """What is needed of a line; other builders may send more or less."""

    log: list[str] | str | None = None
    status: str = ""
    error: str | None = None


def builder_at(url: str) -> Target:
    """Return the builder at a URL, of which scheme and host are all that counts, as with faas-cli.

    Raises InvalidRequest.
    """
    parts = urlsplit(normalise_url(url))
    return Target(f"{parts.scheme}://{parts.netloc}")


def read_public_key(text: str) -> bytes:
    """Return the key that a text, or the file of that name, holds in Base64, or as GET /publickey tells it.

    Raises InvalidRequest.
    """
    try:
        path = Path(text)
        content = path.read_bytes() if len(text) < 1024 and path.is_file() else text.encode()
    except OSError as error:
        raise InvalidRequest(f"{text} cannot be read: {error.strerror}.") from error
    return _key_in(content)


class RemoteBuilder:
    """One builder and the payload secret by which it takes sources; a transport takes the network's place."""

    def __init__(self, target: Target, secret: bytes, transport: httpx2.BaseTransport | None = None) -> None:
        self._target = target
        self._secret = secret
        self._http = open_http(target, "", transport)

    def __enter__(self) -> Self:
        """Open it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def public_key(self) -> bytes:
        """Return the key that secrets are sealed for.

        Raises InvalidRequest where anybody on the way could put another in its place, and for an answer that is none;
        Unavailable.
        """
        if self._target.is_exposed:
            raise InvalidRequest(
                f"{self._target.url} is not asked for its key: on plain http anybody may answer with another.",
                hint="Use https, or give the key with --builder-public-key.",
            )
        with _errors(self._target, API_TIMEOUT_S):
            answer = self._http.get(f"{self._target.url}/publickey", timeout=timeouts(API_TIMEOUT_S))
        if answer.status_code != 200:
            raise _refusal(answer, answer.content[:_MAX_REFUSAL_BYTES])
        return _key_in(answer.content)

    def build(self, archive: Path) -> Iterator[str]:
        """Have the archive of sources built, and yield what is told meanwhile; it is built when that ends.

        Raises BuildFailed with what the builder says, Unauthenticated for a wrong payload secret, Unavailable for an
        answer that breaks off, and what else a builder refuses.
        """
        headers = {
            "Accept": "application/x-ndjson",
            "Accept-Encoding": "identity",
            "Content-Type": "application/octet-stream",
            "X-Build-Signature": f"sha256={_signature(archive, self._secret)}",
        }
        url = f"{self._target.url}/build"
        with archive.open("rb") as file, _errors(self._target, SILENCE_S):
            request = self._http.build_request("POST", url, content=file, headers=headers, timeout=timeouts(SILENCE_S))
            answer = self._http.send(request, stream=True)
            try:
                if answer.status_code not in (200, 202):
                    raise _refusal(answer, _beginning(answer))
                yield from _told(answer.iter_raw(), self._target)
            finally:
                answer.close()


def _key_in(content: bytes) -> bytes:
    try:
        return read_key(msgspec.json.decode(content, type=BuilderKey).public_key.encode())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return read_key(content)


def _told(chunks: Iterator[bytes], target: Target) -> Iterator[str]:
    status, error, last = "", "", ""
    for raw in _lines(chunks):
        try:
            line = msgspec.json.decode(raw, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            told = f"{target.url} does not answer as a builder does: {raw[:200]!r}."
            raise Unavailable(told, hint=_OTHER) from problem
        status, error = line.status, line.error or ""
        for text in [line.log] if isinstance(line.log, str) else line.log or ():
            last = text
            yield text
        if status in ("success", "failed"):
            break
    if status == "failed":
        raise BuildFailed(error or last or "The builder says that it failed, and not why.")
    if status != "success":
        raise Unavailable(f"{target.url} broke off before it said how the build ended.", hint="Try again.")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines that are not empty, the last of them with or without its end. Raises Unavailable for one too long."""
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from filter(bytes.strip, whole)
        if len(pending) > _MAX_LINE_BYTES:
            raise Unavailable(f"The builder sent a line of more than {_MAX_LINE_BYTES // 2**20} MiB.", hint=_OTHER)
    if pending.strip():
        yield pending


def _signature(path: Path, secret: bytes) -> str:
    made = hmac.new(secret, digestmod=hashlib.sha256)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            made.update(chunk)
    return made.hexdigest()


def _beginning(answer: httpx2.Response) -> bytes:
    body = b""
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > _MAX_REFUSAL_BYTES:
            break
    return body[:_MAX_REFUSAL_BYTES]


def _refusal(answer: httpx2.Response, body: bytes) -> DayflyError:
    status = answer.status_code
    error = error_from_reply(max(status, 400), answer.headers.get("content-type", ""), body)
    says_why = body.strip() and not body.lstrip().startswith(b"<")
    told = error.message if says_why else f"The builder answered {status}."
    hint = error.hint
    if isinstance(error, Unauthenticated):
        told = f"The builder does not take sources that are signed with this payload secret: {told}"
        hint = "A Dayfly's is what `dayfly builder secret` prints; give the file with --payload-secret."
    return type(error)(told, hint=hint, retry_after_s=error.retry_after_s)


@contextmanager
def _errors(target: Target, silence_s: float) -> Iterator[None]:
    try:
        with foreign_errors(target, silence_s):
            yield
    except Unavailable as error:
        if not isinstance(error.__cause__, httpx2.HTTPError):
            raise
        raise Unavailable(error.message.replace("No gateway", "No builder", 1), hint=_OTHER) from error
