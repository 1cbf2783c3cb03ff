"""What images' names can mean here, and the builder that gives them a meaning, put together."""

from collections.abc import Callable

from dayfly.api import token_key
from dayfly.build.builder import Builder
from dayfly.control.built_images import BuiltImages
from dayfly.control.bundles import Bundles
from dayfly.control.clock import Clock
from dayfly.control.images import Images
from dayfly.control.plane import ControlPlane
from dayfly.control.store_images import StoreImages
from dayfly.model.engine import EngineState
from dayfly.server.ground import Ground
from dayfly.server.wiring import Place
from dayfly.storage.tenancy import TenancyStore


def make_images(bundles: Bundles, tenancy: TenancyStore, engine: Callable[[], EngineState]) -> Images:
    """Return the one reading of images' names."""
    return Images(sources=[BuiltImages(tenancy, bundles)], store=StoreImages(bundles, engine))


def make_builder(place: Place, plane: ControlPlane, ground: Ground, clock: Clock) -> Builder:
    """Return the builder; its key is made when it is first asked for. Raises ConfigError, OSError."""
    return Builder(
        token_key.load_or_make(place.data("credentials") / "builder.key", "builder secret"),
        place.data("incoming"),
        namespaces=plane.namespaces.names,
        bundles=plane.bundles,
        built=ground.tenancy,
        preparer=ground.bundles,
        dockerfiles=ground.dockerfiles,
        unix_ms=clock.unix_ms,
    )
