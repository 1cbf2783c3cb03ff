"""Layers and configurations of a registry, downwards: whether they are there, and into a layout, checked.

A download that breaks off goes on where it was, if the registry or the storage that it points to lets it.
"""

import asyncio

import httpx2

from dayfly.model.errors import DayflyError, InvalidRequest
from dayfly.oci.layout import BlobWriter, Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.registry.progress import Progress, Step, ignore
from dayfly.oci.registry.request import Request
from dayfly.oci.registry.session import Session
from dayfly.oci.registry.tokens import scope


async def is_there(session: Session, repository: str, blob: Descriptor) -> bool:
    """Whether the repository has the blob."""
    request = Request(
        doing=f"say whether {repository} has {blob.digest}",
        method="HEAD",
        url=session.url(f"{repository}/blobs/{blob.digest}"),
        scopes=frozenset({scope(repository, "pull")}),
        good=frozenset({200, 404}),
    )
    return (await session.ask(request)).status == 200


async def download(
    session: Session, repository: str, blob: Descriptor, layout: Layout, progress: Progress = ignore
) -> None:
    """Bring a blob into the layout, unless it is there.

    Raises NotFound, InvalidRequest when what came is not what its digest says, and what a session raises.
    """
    if layout.has(blob):
        progress(Step(blob, "present", blob.size))
        return
    with layout.writer() as writer:
        failures = 0
        while writer.size < blob.size or not blob.size:
            before = writer.size
            try:
                await _receive(session, repository, blob, writer, progress)
                break
            except DayflyError as error:
                failures = failures + 1 if writer.size == before else 1
                await session.pause(failures, error)
        await asyncio.to_thread(writer.keep, blob)
    progress(Step(blob, "moved", blob.size))


async def _receive(session: Session, repository: str, blob: Descriptor, writer: BlobWriter, progress: Progress) -> None:
    start = writer.size
    request = Request(
        doing=f"give {blob.digest} of {repository}",
        method="GET",
        url=session.url(f"{repository}/blobs/{blob.digest}"),
        scopes=frozenset({scope(repository, "pull")}),
        headers={"Range": f"bytes={start}-"} if start else {},
        good=frozenset({200, 206}) if start else frozenset({200}),
    )
    async with session.stream(request) as answer:
        # Who knows no ranges sends all of it again: what is here already is passed over.
        skip = start if answer.status_code == 200 else _check_range(answer, start)
        # In the pieces that come: what would wait for a piece to fill up would be lost with the connection.
        async for piece in answer.aiter_raw():
            data, skip = piece[skip:], max(0, skip - len(piece))
            if writer.size + len(data) > blob.size:
                raise InvalidRequest(f"{session.endpoint.name} gave more than the {blob.size} bytes of {blob.digest}.")
            await asyncio.to_thread(writer.write, data)
            progress(Step(blob, "moving", writer.size))


def _check_range(answer: httpx2.Response, start: int) -> int:
    said = answer.headers.get("content-range", "")
    if not said.lower().startswith(f"bytes {start}-"):
        raise InvalidRequest(f"bytes from {start} on were asked for, and {said[:60]!r} came.")
    return 0
