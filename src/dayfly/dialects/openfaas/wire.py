"""OpenFaaS's documents. Clients written in Go decode them strictly: what is unset is left out or of the right type.

On the way in `null` stands for "not given" everywhere, and unknown fields are ignored.
"""

from typing import Annotated, Literal

import msgspec

from dayfly.model.engine import EngineState
from dayfly.model.sandbox import Sandbox

Texts = dict[str, str]
GO_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
GO_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
"""What Go reads as true and as false."""


class FunctionResources(msgspec.Struct, frozen=True, omit_defaults=True):
    """Memory and CPU as Kubernetes quantities."""

    memory: str | None = None
    cpu: str | None = None


class FunctionDeployment(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Body of POST and PUT /system/functions."""

    service: str | None = None
    image: str | None = None
    namespace: str | None = None
    env_process: str | None = None
    env_vars: Texts | None = None
    constraints: tuple[str, ...] | None = None
    secrets: tuple[str, ...] | None = None
    labels: Texts | None = None
    annotations: Texts | None = None
    limits: FunctionResources | None = None
    requests: FunctionResources | None = None
    read_only_root_filesystem: bool | None = None


class FunctionUsage(msgspec.Struct, frozen=True, rename="camel"):
    """What a function's replicas use together, now."""

    cpu: float
    """In thousandths of a core."""
    total_memory_bytes: int


class FunctionDescription(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A function in the list or by itself: OpenFaaS's FunctionStatus."""

    name: str
    image: str
    namespace: str
    labels: Texts
    annotations: Texts
    replicas: int
    available_replicas: int
    invocation_count: int
    created_at: str
    env_process: str | None = None
    env_vars: Texts | None = None
    constraints: tuple[str, ...] | None = None
    secrets: tuple[str, ...] | None = None
    limits: FunctionResources | None = None
    requests: FunctionResources | None = None
    read_only_root_filesystem: bool = False
    usage: FunctionUsage | None = None
    """Only where it was asked for."""


class DeleteFunctionRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Body of DELETE /system/functions."""

    function_name: str | None = None
    namespace: str | None = None


class ScaleServiceRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Body of POST /system/scale-function/NAME; the path says which function."""

    replicas: Annotated[int, msgspec.Meta(ge=0)]
    service_name: str | None = None
    namespace: str | None = None


class FunctionNamespace(msgspec.Struct, frozen=True):
    """A namespace, on the way in and out."""

    name: str | None = None
    annotations: Texts | None = None
    labels: Texts | None = None


class Secret(msgspec.Struct, frozen=True, rename="camel"):
    """Body of POST, PUT and DELETE /system/secrets. Nothing that prints this shows what is in it."""

    name: str | None = None
    namespace: str | None = None
    value: str | None = None
    raw_value: bytes | None = None
    """In base64; when there is something in it, `value` is not looked at."""

    @property
    def content(self) -> bytes:
        """What is to be kept."""
        return self.raw_value or (self.value or "").encode()

    def __repr__(self) -> str:
        """Say which secret it is."""
        return f"Secret(name={self.name!r}, namespace={self.namespace!r})"


class SecretListed(msgspec.Struct, frozen=True):
    """A secret in the list of /system/secrets."""

    name: str
    namespace: str


class VersionInfo(msgspec.Struct, frozen=True):
    """A program's version."""

    sha: str
    release: str


class ProviderInfo(msgspec.Struct, frozen=True):
    """Who runs the functions."""

    provider: str
    version: VersionInfo
    orchestration: str


class GatewayInfo(msgspec.Struct, frozen=True):
    """Answer of /system/info; clients dereference every part of it."""

    provider: ProviderInfo
    version: VersionInfo
    arch: str
    sandbox: Sandbox | None = None
    """Ours: how well functions are held in their box."""
    engine: EngineState | None = None
    """Ours: whether there is a container engine, which functions that are images need."""


class LogMessage(msgspec.Struct, frozen=True):
    """One line of /system/logs."""

    name: str
    namespace: str
    instance: str
    timestamp: str
    text: str


class Alert(msgspec.Struct, frozen=True):
    """One alert of an AlertManager message."""

    status: Literal["firing", "resolved"]
    labels: Texts = {}


class AlertMessage(msgspec.Struct, frozen=True):
    """Body of POST /system/alert, of which nothing else is looked at."""

    alerts: tuple[Alert, ...] = ()
