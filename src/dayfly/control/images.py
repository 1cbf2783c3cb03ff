"""What the image of a deployment means: code that is here, or an image for the container engine.

Everybody who deploys an image asks here. What is asked first decides:

1. the annotation `com.dayfly.image: container`: an image, whatever else its name could mean;
2. the sources, in their order: what the namespace had built here under that name;
3. code that the deployment has already: a bundle named by its digest, or the author's own under the name it bears;
4. the store, whose functions stand in for well-known images (`control/store_images.py`);
5. else it is an image for the engine.

A source says what it has as `Code`: which bundle, and how that is run. It sees to it that the namespace has the bundle.
The image's name stays what was sent, to the byte, and is what everybody is told.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from dayfly.model.egress import Network
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import Dialect, FunctionSpec
from dayfly.model.image import IMAGE_ANNOTATION, image_wish
from dayfly.model.names import BundleDigest
from dayfly.model.runtime import Runtime

STORE_LANG = "store"
"""What the language of a function is called that came from the store: its code may be replaced by a newer version's."""


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Code that an image's name means, and how it is run."""

    bundle: BundleDigest
    runtime: Runtime
    lang: str
    """What it is called where a function's language is told."""
    dialect: Dialect = "auto"
    handler: str = "handler"
    process: str = ""
    """What is run where the deployment names no process."""
    env: dict[str, str] = {}
    """Variables that the function has unless it sets them itself."""
    network: Network = "proxy"
    """How far it has to reach, where the deployment asks for nothing else than everybody has."""

    def stand_in(self, spec: FunctionSpec) -> FunctionSpec:
        """Return the deployment of an image as one of this code."""
        return msgspec.structs.replace(
            spec,
            bundle=self.bundle,
            runtime=self.runtime,
            lang=self.lang,
            dialect=self.dialect,
            handler=self.handler,
            process=spec.process or self.process,
            env=self.env | spec.env,
            network=self.network if spec.network == "proxy" else spec.network,
        )


class ImageSource(Protocol):
    """Somebody who may have the code that an image's name means."""

    async def find(self, spec: FunctionSpec) -> Code | None:
        """Return the code for `spec.image` in `spec.namespace`, None where the name means nothing to this source."""
        ...


class Images:
    """The one reading of images' names."""

    def __init__(self, *, sources: Sequence[ImageSource] = (), store: ImageSource | None = None) -> None:
        self._sources = tuple(sources)
        self._store = store

    async def resolve(self, spec: FunctionSpec) -> FunctionSpec:
        """Return what to deploy for a deployment that names an image: code where the name means code, else the image.

        A bundle in it is code that the name has meant up to now. Raises InvalidSpec for an annotation that says
        nothing, or asks for code where there is none, StoreUnavailable.
        """
        wanted = image_wish(spec.annotations)
        if wanted != "container" and (found := await self._find(spec)) is not None:
            return found
        if wanted == "native":
            hint = "`dayfly store describe NAME` shows the images that a function of the store stands in for."
            text = f"annotations: {IMAGE_ANNOTATION}: native, but no code is here for the image {spec.image[:200]}"
            raise InvalidSpec(text, hint=hint)
        return msgspec.structs.replace(
            spec, bundle="", runtime="image", lang="image", dialect="auto", handler="handler"
        )

    async def _find(self, spec: FunctionSpec) -> FunctionSpec | None:
        for source in self._sources:
            if (code := await source.find(spec)) is not None:
                return code.stand_in(spec)
        if spec.bundle and spec.lang != STORE_LANG:
            return spec
        if self._store is not None and (code := await self._store.find(spec)) is not None:
            return code.stand_in(spec)
        return spec if spec.bundle else None
