"""Building from sources that are sent here: what comes in, what is told, and what came of it.

Whoever sends sources signs them with a secret of the namespace that they are for; the secret is all that says which
that is.
"""

from typing import Literal

import msgspec

from dayfly.model.function import Dialect
from dayfly.model.names import BundleDigest
from dayfly.model.runtime import Runtime

PREFIX = "dayfly_builder_"
FORM = rf"{PREFIX}([A-Za-z0-9_-]{{43}})"
"""What every builder secret looks like, and nothing else does, so that one that was left in a file can be found."""
WISH_FILE, SECRETS_FILE, CONTEXT_FOLDER = "com.openfaas.docker.config", "com.openfaas.secrets", "context"
"""What an archive of sources holds: what is asked for, secrets of the build, and the folder of the sources."""
ALLOW_ARGUMENT = "DAYFLY_ALLOW_SECRET"
"""The build argument that accepts what a scan found, as `RULE:PATH`; the stock client has no option for it."""
PACKAGES_ARGUMENT = "ADDITIONAL_PACKAGE"
"""The build argument that names packages of the system."""
MAX_CONTEXT_BYTES = 64 * 2**20
"""The largest archive of sources."""
BuildStatus = Literal["in_progress", "success", "failed"]


class BuildWish(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked for beside the sources."""

    image: str
    build_args: dict[str, str] | None = None
    platforms: tuple[str, ...] | None = None
    skip_push: bool = False


class BuildLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is told while a build goes on, and, last, how it ended."""

    log: tuple[str, ...] = ()
    image: str = ""
    status: BuildStatus = "in_progress"
    error: str = ""


class BuilderKey(msgspec.Struct, frozen=True):
    """The key that secrets of a build are sealed for."""

    key_id: str
    algorithm: str
    public_key: str


class BuilderSecret(msgspec.Struct, frozen=True):
    """A namespace's secret for signing sources."""

    namespace: str
    secret: str


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """What an image's name means to the namespace that had it built: code and how it is run, or an engine's image."""

    image: str
    bundle: BundleDigest
    """Empty for the runtime `image`."""
    runtime: Runtime
    lang: str
    dialect: Dialect = "auto"
    handler: str = "handler"
    process: str = ""
    env: dict[str, str] = {}
    built_unix_ms: int = 0
