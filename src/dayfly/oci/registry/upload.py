"""A blob on its way up: there already, mounted from another repository, in one piece, or in chunks.

When something breaks, the registry is asked how far it got, and the upload goes on from there; an upload that it has
lost is begun anew, a few times. (Docker's own registry, for one, drops an upload of which a chunk was cut off in the
middle; between chunks it goes on.) What is in the file is checked before the first byte leaves.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence

import httpx2

from dayfly.model.errors import DayflyError, Forbidden, Unauthenticated, Unavailable
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.registry import blobs, faults
from dayfly.oci.registry.progress import Progress, Step, ignore
from dayfly.oci.registry.request import Answer, Body, Request, Scopes
from dayfly.oci.registry.retrying import ATTEMPTS
from dayfly.oci.registry.session import Session
from dayfly.oci.registry.tokens import scope

WHOLE = 4 << 20
"""Blobs up to this size go in one piece."""
CHUNK, LEAST_CHUNK = 16 << 20, 1 << 20
_PIECE = 1 << 18
_RANGE = re.compile(r"(?:bytes[= ])?0-(\d{1,18})")
_LOST = frozenset({404, 416})
_WRONG = frozenset({"DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN"})


class _Lost(Exception):
    """The registry no longer has the upload, or has something else in it than was sent."""


async def upload(
    session: Session,
    repository: str,
    blob: Descriptor,
    layout: Layout,
    *,
    mounts: Sequence[str] = (),
    progress: Progress = ignore,
) -> None:
    """See to it that the repository has the blob; `mounts` are repositories of the registry that may have it.

    Raises NotFound or InvalidRequest when the layout lacks it or has it damaged, and what a session raises.
    """
    if await blobs.is_there(session, repository, blob):
        progress(Step(blob, "present", blob.size))
        return
    await asyncio.to_thread(_check, layout, blob)
    with layout.path(blob).open("rb") as file:
        one = _Upload(session, repository, blob, file.fileno(), progress)
        if await one.mount(mounts):
            progress(Step(blob, "mounted", blob.size))
            return
        await one.send()
    progress(Step(blob, "moved", blob.size))


class _Upload:
    """One upload, which may have to be begun several times."""

    def __init__(self, session: Session, repository: str, blob: Descriptor, file: int, progress: Progress) -> None:
        self._session, self._repository, self._blob = session, repository, blob
        self._file, self._progress = file, progress
        self._scopes = frozenset({scope(repository, "pull", "push")})
        self._url = httpx2.URL()
        self._offset = 0
        self._chunk = CHUNK

    async def mount(self, sources: Sequence[str]) -> bool:
        """Have the blob taken over from the first of these repositories that has it, else open an upload."""
        for source in sources:
            try:
                if await self.begin(source):
                    return True
            except (Unauthenticated, Forbidden):
                # What is not for us to read there we still have here.
                continue
        return not self._url.host and await self.begin()

    async def begin(self, source: str = "") -> bool:
        """Open an upload, or have the blob taken over from another repository; return whether it was."""
        scopes = self._scopes
        query = {}
        if source and source != self._repository:
            scopes |= {scope(source, "pull")}
            query = {"mount": self._blob.digest, "from": source}
        url = self._session.url(f"{self._repository}/blobs/uploads/", **query)
        answer = await self._ask("POST", url, {201, 202}, scopes=scopes, attempts=ATTEMPTS)
        if answer.status == 201:
            return True
        self._url = self._session.location(answer)
        self._offset = 0
        least = answer.headers.get("oci-chunk-min-length", "")
        self._chunk = max(CHUNK, int(least[:12]) if least.isascii() and least.isdigit() else 0)
        return False

    async def send(self) -> None:
        """Send the blob, to its end."""
        failures = restarts = reached = 0
        is_unsure = False
        while True:
            try:
                if is_unsure and await self._has_arrived():
                    return
                is_unsure = False
                await self._go_on()
                return
            except _Lost as lost:
                restarts += 1
                await self._session.pause(
                    restarts, Unavailable(f"The upload of {self._blob.digest} was lost {restarts} times: {lost}")
                )
                await self.begin()
                is_unsure = False
            except DayflyError as error:
                failures = 1 if self._offset > reached else failures + 1
                reached = max(reached, self._offset)
                await self._session.pause(failures, error)
                is_unsure = True

    async def _go_on(self) -> None:
        if self._offset == 0 and self._blob.size <= WHOLE:
            await self._finish(self._blob.size)
            return
        while self._offset < self._blob.size:
            await self._send_chunk()
        await self._finish(0)

    async def _send_chunk(self) -> None:
        size = min(self._chunk, self._blob.size - self._offset)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{self._offset}-{self._offset + size - 1}",
        }
        answer = await self._ask("PATCH", self._url, {202, 413, *_LOST}, body=self._body(size), headers=headers)
        if answer.status == 413 and self._chunk > LEAST_CHUNK:
            self._chunk = max(LEAST_CHUNK, min(self._chunk, size) // 2)
            return
        if answer.status != 202:
            raise self._lost(answer)
        self._url = self._session.location(answer)
        reached = self._reached(answer, self._offset + size)
        if reached <= self._offset:
            raise _Lost("it keeps nothing of what it is sent")
        self._offset = reached

    async def _finish(self, size: int) -> None:
        url = self._url.copy_merge_params({"digest": self._blob.digest})
        headers = {"Content-Type": "application/octet-stream"}
        answer = await self._ask("PUT", url, {200, 201, 204, 400, *_LOST}, body=self._body(size), headers=headers)
        if answer.status >= 400:
            raise self._lost(answer)
        taken = answer.headers.get("docker-content-digest", self._blob.digest)
        if taken != self._blob.digest:
            raise Unavailable(f"{self._session.endpoint.name} took {self._blob.digest} for {taken[:80]}.")

    def _lost(self, answer: Answer) -> Exception:
        """Return what to make of an answer that may mean that the upload is no longer what it was."""
        error = faults.refusal(self._session.endpoint.name, self._doing, answer.status, self._session.hide(answer.body))
        if answer.status == 413 or (answer.status == 400 and not faults.codes(answer.body) & _WRONG):
            return error
        return _Lost(error.message)

    async def _has_arrived(self) -> bool:
        """Ask how far it got; return whether the blob is there already. Raises _Lost."""
        answer = await self._ask("GET", self._url, {200, 202, 204, *_LOST}, attempts=ATTEMPTS)
        if answer.status in _LOST:
            if await blobs.is_there(self._session, self._repository, self._blob):
                return True
            raise _Lost("the registry does not know it any more")
        if answer.headers.get("location"):
            self._url = self._session.location(answer)
        self._offset = self._reached(answer, -1)
        return False

    def _reached(self, answer: Answer, usual: int) -> int:
        """Return how many bytes the registry has; `usual` when it does not say. Raises _Lost."""
        said = answer.headers.get("range", "")
        match = _RANGE.fullmatch(said)
        # Registries write an upload with nothing in it as `0-0`, which would be one byte.
        reached = (int(match[1]) + 1 if match[1] != "0" else 0) if match else usual
        if not 0 <= reached <= self._blob.size:
            raise _Lost(f"the registry says that it has the bytes {said[:40]!r} of {self._blob.size}")
        return reached

    def _body(self, size: int) -> Body:
        start = self._offset

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(start, start + size, _PIECE):
                data = await asyncio.to_thread(os.pread, self._file, min(_PIECE, start + size - at), at)
                yield data
                self._progress(Step(self._blob, "moving", at + len(data)))

        return Body(size, pieces)

    async def _ask(
        self,
        method: str,
        url: httpx2.URL,
        good: set[int],
        *,
        body: Body | None = None,
        headers: dict[str, str] | None = None,
        scopes: Scopes | None = None,
        attempts: int = 1,
    ) -> Answer:
        request = Request(
            doing=self._doing,
            method=method,
            url=url,
            scopes=scopes or self._scopes,
            headers=headers or {},
            body=body or (Body.of(b"") if method == "POST" else None),
            good=frozenset(good),
            attempts=attempts,
        )
        return await self._session.ask(request)

    @property
    def _doing(self) -> str:
        return f"take {self._blob.digest} into {self._repository}"


def _check(layout: Layout, blob: Descriptor) -> None:
    with layout.open_blob(blob) as file:
        while file.read(_PIECE):
            pass
