"""The remote builder: sources that `faas-cli` sends become a bundle, and an image's name comes to mean it.

Nothing is built as `docker build` would: a context of a template that we know is packed and its dependencies are
installed, which takes a second and no container engine. Any other is a Dockerfile's, which a container engine builds
where there is one, for the default namespace alone: an engine's images have one name for all tenants.
"""

import asyncio
import hmac
import io
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dayfly.build.context import Context, Template, code_of, language_of, read_context, template_of
from dayfly.build.pack import pack, tar_of
from dayfly.build.senders import Received, Senders
from dayfly.model.builder import ALLOW_ARGUMENT, PACKAGES_ARGUMENT, BuilderKey, BuildLine, BuiltImage
from dayfly.model.errors import BuildFailed, DayflyError, InvalidRequest, NotSupported
from dayfly.model.function import FunctionSpec
from dayfly.model.names import DEFAULT_NAMESPACE, BundleDigest, NamespaceName
from dayfly.oci.scan import Scan, allowances_in

_MOST_BUILDING = 2
_DOCKERFILE_S = 1800.0
_MOST_TOLD = 16_000
"""Characters of one text; the client reads lines of up to 64 KiB."""
_log = logging.getLogger("dayfly.build")


class Bundles(Protocol):
    """Where bundles are kept for a namespace."""

    async def put(
        self, namespace: NamespaceName, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int
    ) -> int:
        """Keep the bundle for the namespace. Raises StoreUnavailable."""
        ...


class BuiltImages(Protocol):
    """Where it is kept what images' names mean."""

    async def put_built(self, namespace: NamespaceName, built: BuiltImage) -> None:
        """Keep it. Raises StoreUnavailable."""
        ...


class Preparer(Protocol):
    """What installs the dependencies of a function."""

    async def prepare(self, spec: FunctionSpec) -> object:
        """Install them. Raises BuildFailed and others of the tree."""
        ...


class Dockerfiles(Protocol):
    """What carries out the steps of a Dockerfile."""

    def why_none(self) -> str:
        """Return why nothing does; empty when something does."""
        ...

    def build(self, image: str, archive: bytes, args: Mapping[str, str]) -> AsyncIterator[str]:
        """Build a context, packed as a tar archive, as an image of this name, and tell how it goes.

        Raises BuildFailed, Unavailable.
        """
        ...


class Builder:
    """Receives and builds. `key` is 32 random bytes; `namespaces` tells those there are, the likeliest first."""

    def __init__(
        self,
        key: bytes,
        folder: Path,
        *,
        namespaces: Callable[[], Sequence[NamespaceName]],
        bundles: Bundles,
        built: BuiltImages,
        preparer: Preparer,
        dockerfiles: Dockerfiles,
        unix_ms: Callable[[], int],
    ) -> None:
        self._key = key
        self._senders = Senders(key, folder, namespaces)
        self._bundles = bundles
        self._built = built
        self._preparer = preparer
        self._dockerfiles = dockerfiles
        self._unix_ms = unix_ms
        self._building = asyncio.Semaphore(_MOST_BUILDING)

    def secret(self, namespace: NamespaceName) -> str:
        """Return what signs sources for the namespace."""
        return self._senders.secret(namespace)

    def public_key(self) -> BuilderKey:
        """Return what secrets of a build are sealed for."""
        from dayfly.oci.sealed import builder_key  # here and below, because few builds have secrets

        return builder_key(self._box())

    async def receive(self, chunks: AsyncIterator[bytes], signature: str) -> Received:
        """Return the archive once it is here and signed as it should be.

        Raises Unauthenticated, PayloadTooLarge, LimitExceeded while too many come, StoreUnavailable.
        """
        return await self._senders.receive(chunks, signature)

    async def build(self, received: Received) -> AsyncIterator[BuildLine]:
        """Build, and tell how it goes; the last line says how it ended, whatever that is."""
        image = ""
        try:
            async with self._building:
                context = await asyncio.to_thread(read_context, io.BytesIO(received.archive))
                image = context.wish.image
                async for line in self._make(context, received.namespace):
                    yield line
        except DayflyError as error:
            _log.info("a build failed namespace=%s image=%s reason=%s", received.namespace, ascii(image[:200]), error)
            yield BuildLine(image=image, status="failed", error=_told(error))

    async def _make(self, context: Context, namespace: NamespaceName) -> AsyncIterator[BuildLine]:
        wish, args = context.wish, context.wish.build_args or {}
        if not wish.image or len(wish.image) > 1024 or not wish.image.isprintable():
            raise InvalidRequest("the archive names no image to build")
        if context.sealed:
            from dayfly.oci.sealed import unseal

            names = ", ".join(sorted(unseal(self._box(), context.sealed)))
            yield _line(wish.image, f"Not used: the build secrets {names}, which only a Dockerfile's steps read.")
        accepted = await asyncio.to_thread(_scan, context, args)
        template = template_of(context.files)
        if template is None:
            async for line in self._run_dockerfile(context, namespace, args):
                yield line
            return
        yield _line(wish.image, f"A function of the template {language_of(context.files)}, which needs no image here.")
        if accepted:
            yield _line(wish.image, f"Accepted, as {ALLOW_ARGUMENT} says: {accepted}")
        if packages := args.get(PACKAGES_ARGUMENT, "").strip():
            yield _line(wish.image, f"Not installed: {packages}. Functions use what this machine has.")
        data, digest = await asyncio.to_thread(lambda: pack(code_of(context.files, template)))
        await self._bundles.put(namespace, digest, _once(data), len(data))
        spec = _spec(template, digest)
        if template.runtime in ("python", "node"):
            yield _line(wish.image, "Installing what it depends on.")
        await self._preparer.prepare(spec)
        await self._built.put_built(namespace, _built(template, context, digest, self._unix_ms()))
        _log.info("built namespace=%s image=%s bundle=%s", namespace, ascii(wish.image[:200]), digest)
        done = f"{wish.image} means {digest} in the namespace {namespace} now; nothing was pushed to a registry."
        yield BuildLine(log=(done,), image=wish.image, status="success")

    async def _run_dockerfile(
        self, context: Context, namespace: NamespaceName, args: Mapping[str, str]
    ) -> AsyncIterator[BuildLine]:
        image, language = context.wish.image, language_of(context.files)
        what = f"The template {language} is none that runs here without an image" if language else "A Dockerfile"
        if namespace != DEFAULT_NAMESPACE:
            text = f"{what}: a container engine builds those, and it does so for {DEFAULT_NAMESPACE} alone."
            raise NotSupported(text, hint="Build it with `faas-cli build` where Docker is, and push it.")
        if why := self._dockerfiles.why_none():
            text = f"{what}: building that takes a container engine beside the platform, and {why}."
            raise NotSupported(text, hint="Build it with `faas-cli build` where Docker is, and push it.")
        archive = await asyncio.to_thread(tar_of, context.files)
        passed = {name: value for name, value in args.items() if name != ALLOW_ARGUMENT}
        try:
            async with asyncio.timeout(_DOCKERFILE_S):
                async for text in self._dockerfiles.build(image, archive, passed):
                    yield _line(image, text)
        except TimeoutError:
            raise BuildFailed(f"the Dockerfile's steps took longer than {_DOCKERFILE_S / 60:g} minutes") from None
        made = BuiltImage(
            image=image, bundle=BundleDigest(""), runtime="image", lang=language or "dockerfile",
            built_unix_ms=self._unix_ms(),
        )  # fmt: skip
        await self._built.put_built(namespace, made)
        done = f"{image} is an image of the container engine here; nothing was pushed to a registry."
        yield BuildLine(log=(done,), image=image, status="success")

    def _box(self) -> bytes:
        return hmac.digest(self._key, b"box", "sha256")


def _scan(context: Context, args: dict[str, str]) -> str:
    """Return what was found and is accepted. Raises InvalidRequest for what is not."""
    scan = Scan()
    for path, file in context.files.items():
        scan.file(path, file.content)
    scan.arguments({name: value for name, value in args.items() if name != ALLOW_ARGUMENT})
    try:
        accepted = scan.refuse(allowances_in(args.get(ALLOW_ARGUMENT, "")), told="The sources hold credentials")
    except InvalidRequest as error:
        hint = f"Take them out, or accept one with --build-arg {ALLOW_ARGUMENT}=RULE:PATH."
        raise InvalidRequest(error.message, hint=hint) from error
    return " ".join(f"{each.rule}:{each.path}" for each in accepted)


def _spec(template: Template, digest: BundleDigest) -> FunctionSpec:
    return FunctionSpec(
        name="built", bundle=digest, runtime=template.runtime, dialect=template.dialect, process=template.process
    )


def _built(template: Template, context: Context, digest: BundleDigest, unix_ms: int) -> BuiltImage:
    return BuiltImage(
        image=context.wish.image, bundle=digest, runtime=template.runtime, lang=language_of(context.files),
        dialect=template.dialect, process=template.process, env=template.env, built_unix_ms=unix_ms,
    )  # fmt: skip


def _told(error: DayflyError) -> str:
    text = f"{error.message} {error.hint}".strip()
    if isinstance(error, BuildFailed):
        return text[-_MOST_TOLD:]  # what went wrong stands at the end of what an installer prints
    return text[:_MOST_TOLD]


def _line(image: str, text: str) -> BuildLine:
    return BuildLine(log=(text[:_MOST_TOLD],), image=image)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
