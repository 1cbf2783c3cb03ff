"""Functions and their revisions: what somebody asked for.

A `FunctionSpec` is the whole of a deployment as its author wrote it. Deploying one makes a `Revision`: the spec, frozen
and numbered. A `Function` is the name that outlives its revisions: one of them serves, and another may be about to.
"""

from typing import Literal

import msgspec

from dayfly.model.allowance import Allowances
from dayfly.model.callback_hosts import CallbackHosts
from dayfly.model.debug import Debug
from dayfly.model.depth import max_depth_of
from dayfly.model.egress import PUBLIC, Network, check_allow
from dayfly.model.errors import InvalidSpec
from dayfly.model.image import health_path, parse_image, runs_as_root
from dayfly.model.names import (
    DEFAULT_NAMESPACE,
    FunctionKey,
    parse_bundle_digest,
    parse_env_name,
    parse_function_name,
    parse_namespace,
    parse_secret_name,
)
from dayfly.model.payload import PayloadPolicy
from dayfly.model.quantities import parse_cpu, parse_duration, parse_memory
from dayfly.model.retry import RetryPolicy, concurrency_of
from dayfly.model.rollout import Canary, Outcome
from dayfly.model.runtime import RUN_A_PROCESS, Runtime
from dayfly.model.scaling import ScalingPolicy
from dayfly.model.secret import MAX_FUNCTION_SECRETS
from dayfly.model.watchdog import MAX_INFLIGHT, ExecSettings, HttpSettings, StaticSettings, exec_timeout_s, max_inflight

Dialect = Literal["auto", "python", "python-classic", "python-typed", "python-flask", "asgi", "wsgi", "flow"]
Concurrency = Literal["auto", "inline", "threads"]

DEFAULT_MEMORY_BYTES = 512 * 1024 * 1024
"""The memory of a replica whose author asked for none: pandas with a few million values fits (its import alone takes
about a quarter), and eight replicas that leak at once still leave a machine of 8 GiB the half of it."""
LEAST_MEMORY_BYTES = 64 * 1024 * 1024
"""Below this the runtime itself would not start, so that smaller limits mean this."""
LEAST_MILLICORES = 10
"""The kernel's own minimum; smaller limits mean this."""
DEFAULT_LOG_RATE_BYTES = 1_000_000
"""What a replica may log in a second when its author says nothing: a busy web server's access log takes a tenth."""
MAX_LOG_RATE_BYTES = 10_000_000
"""The most that may be asked for: all lines pass through one process."""
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
    """What its author calls the language: the template's name."""
    runtime: Runtime = "python"
    dialect: Dialect = "auto"
    handler: str = "handler"
    """`module` or `module:attribute` inside the bundle."""
    process: str = ""
    """The program of the runtimes `exec` and `http` and its arguments, split at single spaces: no shell reads it."""
    env: dict[str, str] = {}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    limits: Resources | None = None
    requests: Resources | None = None
    timeout: str = ""
    """How long one call may take, as a duration; empty means 60s, or what the variable `exec_timeout` says."""
    max_inflight: int = 0
    """Calls one replica works on at a time; 0 leaves it to the platform."""
    concurrency: Concurrency = "auto"
    """Where sync handlers run: on the loop, on threads, or as measured."""
    read_only_root_filesystem: bool = False
    network: Network = "proxy"
    """How far the function reaches: not at all, through the egress proxy, or as this machine does."""
    allow: tuple[str, ...] = (PUBLIC,)
    """Where the egress proxy lets it connect to; see model/egress.py."""
    debug: Debug | None = None
    """What `dayfly dev` asks for; None wherever others call the function."""
    max_body: str = ""
    """The largest request body it takes, as an amount of memory; empty means what the gateway takes."""
    max_log_rate: str = ""
    """What one replica may log in a second, from `1k` to `10M`; empty means `1M`."""

    @property
    def key(self) -> FunctionKey:
        """The function's identity. Raises InvalidName."""
        return FunctionKey(parse_namespace(self.namespace), parse_function_name(self.name))

    @property
    def timeout_s(self) -> float:
        """How long one call may take, in seconds. The variable `exec_timeout` counts where it is shorter."""
        limits = [parse_duration(self.timeout)] if self.timeout else []
        if (limit := exec_timeout_s(self.env)) is not None:
            limits.append(limit)
        return min(limits, default=DEFAULT_TIMEOUT_S)

    @property
    def inflight(self) -> int:
        """Calls one replica works on at a time; 0 for no limit. The variable `max_inflight` counts where it is less."""
        return min(filter(None, (self.max_inflight, max_inflight(self.env))), default=0)

    @property
    def turns_away(self) -> bool:
        """Whether calls beyond that do not wait: by the variable, as OpenFaaS's watchdogs have it."""
        return 0 < max_inflight(self.env) == self.inflight

    @property
    def memory_bytes(self) -> int:
        """What a replica may use of memory, whether its author said so or not."""
        return memory_of(self.limits.memory_bytes if self.limits else 0)

    @property
    def cpu_millicores(self) -> int:
        """The most a replica may use of processors, in thousandths of a core; 0 for no limit."""
        return millicores_of(self.limits.cpu_millicores if self.limits else 0)

    @property
    def max_body_bytes(self) -> int:
        """The largest request body in bytes; 0 for what the gateway takes."""
        return parse_memory(self.max_body) if self.max_body else 0

    @property
    def max_log_rate_bytes(self) -> int:
        """What one replica may log in a second, in bytes."""
        return parse_memory(self.max_log_rate) if self.max_log_rate else DEFAULT_LOG_RATE_BYTES

    @property
    def scaling(self) -> ScalingPolicy:
        """How many replicas, from the `com.openfaas.scale.*` labels. Raises InvalidSpec."""
        return ScalingPolicy.from_labels(self.labels, inflight=self.inflight)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName or InvalidSpec with the field's name in the text."""
        _ = self.key, self.scaling, RetryPolicy.from_annotations(self.annotations), concurrency_of(self.annotations)
        _ = max_depth_of(self.annotations), Allowances.of(self.annotations)
        _ = PayloadPolicy.from_annotations(self.annotations), CallbackHosts.from_annotations(self.annotations)
        if self.bundle:
            parse_bundle_digest(self.bundle)
        if len(self.secrets) > MAX_FUNCTION_SECRETS:
            raise InvalidSpec(f"secrets: {len(self.secrets)} are named; a function has at most {MAX_FUNCTION_SECRETS}")
        for name in self.secrets:
            parse_secret_name(name)
        for name, value in self.env.items():
            _check_env(name, value)
        _check_handler(self.handler)
        self._check_runtime()
        for what in ("labels", "annotations"):
            check_texts(what, getattr(self, what))
        for resources in (self.limits, self.requests):
            if resources is not None:
                _ = resources.memory_bytes, resources.cpu_millicores
        check_allow(self.network, self.allow)
        if self.debug is not None:
            self.debug.check()
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise InvalidSpec(f"timeout: {self.timeout_s:g}s must be more than 0s and at most 24h")
        if not 0 <= self.max_inflight <= MAX_INFLIGHT:
            raise InvalidSpec(f"max_inflight: {self.max_inflight} must be between 0 and {MAX_INFLIGHT}")
        for what in ("max_body", "max_log_rate"):
            try:
                getattr(self, f"{what}_bytes")
            except InvalidSpec as error:
                raise InvalidSpec(f"{what}: {error}") from error
        if not 1000 <= self.max_log_rate_bytes <= MAX_LOG_RATE_BYTES:
            raise InvalidSpec(f"max_log_rate: {self.max_log_rate} must be from 1k to 10M")

    def _check_runtime(self) -> None:
        if self.runtime in RUN_A_PROCESS and not self.process.strip(" "):
            raise InvalidSpec(f"process: the runtime {self.runtime} needs a program to run (fprocess in a stack file)")
        if "\0" in self.process or len(self.process) > _MAX_TEXT:
            raise InvalidSpec(f"process: holds a NUL byte or is longer than {_MAX_TEXT} characters")
        match self.runtime:
            case "exec":
                ExecSettings.of(self.env)
            case "http":
                HttpSettings.of(self.env)
            case "static":
                StaticSettings.of(self.env)
        if self.runtime == "image" and (self.bundle or not self.image):
            raise InvalidSpec("image: the runtime image needs an image's name, and no bundle beside it")
        if self.runtime == "image":
            _ = parse_image(self.image), health_path(self.annotations), runs_as_root(self.annotations)


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


def memory_of(asked_bytes: int) -> int:
    """Return the memory of a replica whose author asked for so much, 0 standing for no word of it."""
    return max(asked_bytes, LEAST_MEMORY_BYTES) if asked_bytes else DEFAULT_MEMORY_BYTES


def millicores_of(asked: int) -> int:
    """Return what a replica may use of processors when its author asked for so much; 0 for no limit."""
    return max(asked, LEAST_MILLICORES) if asked else 0


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


def check_texts(what: str, texts: dict[str, str]) -> None:
    """Refuse labels or annotations that cannot be kept; `what` names the field. Raises InvalidSpec."""
    if len(texts) > 256:
        raise InvalidSpec(f"{what}: {len(texts)} entries; at most 256 are kept")
    for name, value in texts.items():
        if not name or len(name) > 317 or not name.isprintable() or len(value) > _MAX_TEXT:
            raise InvalidSpec(f"{what}: {name[:40]!r} is empty, unprintable or too long")
