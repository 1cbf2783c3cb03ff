"""Functions and their revisions: what somebody asked for.

A `FunctionSpec` is the whole of a deployment as its author wrote it. Deploying one makes a `Revision`: the spec, frozen
and numbered. A `Function` is the name that outlives its revisions: one of them serves, and another may be about to.
"""

from typing import Literal

import msgspec

from dayfly.model.egress import PUBLIC, Network, check_allow
from dayfly.model.errors import InvalidSpec
from dayfly.model.names import (
    DEFAULT_NAMESPACE,
    FunctionKey,
    parse_bundle_digest,
    parse_env_name,
    parse_function_name,
    parse_namespace,
    parse_secret_name,
)
from dayfly.model.quantities import parse_cpu, parse_duration, parse_memory
from dayfly.model.rollout import Canary, Outcome
from dayfly.model.scaling import ScalingPolicy

Dialect = Literal["auto", "python", "python-classic", "python-typed", "asgi", "wsgi"]
Concurrency = Literal["auto", "inline", "threads"]

DEFAULT_TIMEOUT_S = 60.0
MAX_TIMEOUT_S = 86_400.0
_MAX_TEXT = 32_768
_FORBIDDEN_ENV = ("LD_", "PYTHON", "DAYFLY_")
_FORBIDDEN_ENV_NAMES = {"NODE_OPTIONS", "BASH_ENV", "ENV", "PATH", "IFS"}


class Resources(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Memory and CPU in Kubernetes quantities, kept as they were written; empty means not given."""

    memory: str = ""
    cpu: str = ""

    @property
    def memory_bytes(self) -> int:
        """Memory in bytes; 0 when not given."""
        return parse_memory(self.memory) if self.memory else 0

    @property
    def cpu_millicores(self) -> int:
        """CPU in thousandths of a core; 0 when not given."""
        return parse_cpu(self.cpu) if self.cpu else 0


class FunctionSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A deployment: everything its author decides. Call `check()` on one that came from outside."""

    name: str
    namespace: str = DEFAULT_NAMESPACE
    bundle: str = ""
    """Digest of an uploaded code bundle."""
    image: str = ""
    """The image's name exactly as deployed; only echoed where code comes as a bundle."""
    lang: str = "python"
    dialect: Dialect = "auto"
    handler: str = "handler"
    """`module` or `module:attribute` inside the bundle."""
    process: str = ""
    env: dict[str, str] = {}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    limits: Resources | None = None
    requests: Resources | None = None
    timeout: str = ""
    """How long one call may take, as a duration; empty means 60s."""
    max_inflight: int = 0
    """Calls one replica works on at a time; 0 leaves it to the platform."""
    concurrency: Concurrency = "auto"
    """Where sync handlers run: on the loop, on threads, or as measured."""
    read_only_root_filesystem: bool = False
    network: Network = "proxy"
    """How far the function reaches: not at all, through the egress proxy, or as this machine does."""
    allow: tuple[str, ...] = (PUBLIC,)
    """Where the egress proxy lets it connect to; see model/egress.py."""

    @property
    def key(self) -> FunctionKey:
        """The function's identity. Raises InvalidName."""
        return FunctionKey(parse_namespace(self.namespace), parse_function_name(self.name))

    @property
    def timeout_s(self) -> float:
        """How long one call may take, in seconds."""
        return parse_duration(self.timeout) if self.timeout else DEFAULT_TIMEOUT_S

    @property
    def scaling(self) -> ScalingPolicy:
        """How many replicas, from the `com.openfaas.scale.*` labels. Raises InvalidSpec."""
        return ScalingPolicy.from_labels(self.labels)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName or InvalidSpec with the field's name in the text."""
        _ = self.key, self.scaling
        if self.bundle:
            parse_bundle_digest(self.bundle)
        for name in self.secrets:
            parse_secret_name(name)
        for name, value in self.env.items():
            _check_env(name, value)
        _check_handler(self.handler)
        for what in ("labels", "annotations"):
            _check_texts(what, getattr(self, what))
        for resources in (self.limits, self.requests):
            if resources is not None:
                _ = resources.memory_bytes, resources.cpu_millicores
        check_allow(self.network, self.allow)
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise InvalidSpec(f"timeout: {self.timeout!r} must be more than 0s and at most 24h")
        if not 0 <= self.max_inflight <= 100_000:
            raise InvalidSpec(f"max_inflight: {self.max_inflight} must be between 0 and 100000")


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One deployed state of a function, never changed after it was made."""

    number: int
    """1, 2, 3 … within the function."""
    spec: FunctionSpec
    created_unix_ms: int


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A revision that is to take over from the one that serves."""

    revision: Revision
    canary: Canary | None = None
    """None to take over as soon as it is ready."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """What should be true of one function: what serves, what is to take over, and how many replicas were asked for."""

    key: FunctionKey
    revision: Revision
    """The revision that serves, or is the first that is to."""
    candidate: Candidate | None = None
    outcome: Outcome | None = None
    """How the last rollout ended; None before the first one did."""
    created_unix_ms: int
    replicas: int | None = None
    """Replicas somebody set by hand; None leaves the number to the scaler. Cleared by a deployment."""

    @property
    def newest(self) -> Revision:
        """What was asked for last and still stands: the candidate's revision, else the one that serves."""
        return self.candidate.revision if self.candidate is not None else self.revision


def _check_handler(handler: str) -> None:
    module, colon, attribute = handler.partition(":")
    parts = [*module.split("."), *(attribute.split(".") if colon else ())]
    if len(handler) > 200 or not all(part.isidentifier() for part in parts):
        raise InvalidSpec(f"handler: {handler[:80]!r} must be MODULE or MODULE:ATTRIBUTE, for example handler:handle")


def _check_env(name: str, value: str) -> None:
    parse_env_name(name)
    if name in _FORBIDDEN_ENV_NAMES or name.startswith(_FORBIDDEN_ENV):
        raise InvalidSpec(f"env: {name} changes how the platform itself runs code and may not be set")
    if "\0" in value or len(value) > _MAX_TEXT:
        raise InvalidSpec(f"env: the value of {name} holds a NUL byte or is longer than {_MAX_TEXT} characters")


def _check_texts(what: str, texts: dict[str, str]) -> None:
    if len(texts) > 256:
        raise InvalidSpec(f"{what}: {len(texts)} entries; at most 256 are kept")
    for name, value in texts.items():
        if not name or len(name) > 317 or not name.isprintable() or len(value) > _MAX_TEXT:
            raise InvalidSpec(f"{what}: {name[:40]!r} is empty, unprintable or too long")
