"""Images that a namespace had built here, as a source of code: their names mean it, to that namespace alone."""

from typing import Protocol

from dayfly.control.images import Code
from dayfly.model.builder import BuiltImage
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest, NamespaceName


class BuiltStore(Protocol):
    """Where it is kept what images' names mean."""

    async def built(self, namespace: NamespaceName, image: str) -> BuiltImage | None:
        """Return what the name means to the namespace. Raises StoreUnavailable."""
        ...


class Bundles(Protocol):
    """Where bundles are kept for a namespace."""

    async def has(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the namespace has the bundle. Raises StoreUnavailable."""
        ...


class BuiltImages:
    """What the builder has made."""

    def __init__(self, store: BuiltStore, bundles: Bundles) -> None:
        self._store = store
        self._bundles = bundles

    async def find(self, spec: FunctionSpec) -> Code | None:
        """Return the code that was built last under the image's very name, None when none was, or an engine's image.

        Raises StoreUnavailable.
        """
        namespace = spec.key.namespace
        built = await self._store.built(namespace, spec.image)
        if built is None or built.runtime == "image" or not await self._bundles.has(namespace, built.bundle):
            return None
        return Code(
            bundle=built.bundle, runtime=built.runtime, lang=built.lang, dialect=built.dialect, handler=built.handler,
            process=built.process, env=built.env,
        )  # fmt: skip
