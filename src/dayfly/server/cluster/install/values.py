"""What may be said of an installation: the same fields in a file for `dayfly install --values` and in Helm's values.

Every field has a default that is good for a small cluster. What would be dangerous (a load balancer that shows
everything unencrypted) is refused unless it is said in so many words.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dayfly import __version__
from dayfly.model.errors import ConfigError
from dayfly.model.names import DEFAULT_NAMESPACE
from dayfly.server.cluster.install.given import merged
from dayfly.server.cluster.names import FUNCTIONS_NAMESPACE, SYSTEM_NAMESPACE
from dayfly.server.settings import Settings, StartOptions

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Host = Annotated[str, Meta(pattern=r"^([a-z0-9*]([-a-z0-9.]{0,251}[a-z0-9])?)?$")]
OptionalName = Annotated[str, Meta(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$")]
Cpu = Annotated[str, Meta(pattern=r"^[1-9][0-9]*m?$")]
CpuLimit = Annotated[str, Meta(pattern=r"^([1-9][0-9]*m?)?$")]
Memory = Annotated[str, Meta(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi)$")]
Reference = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9][-a-zA-Z0-9._/:@]{0,499}$")]
Port = Annotated[int, Meta(ge=1, le=65535)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What all parts share: their names in files, and that nothing unknown is in them."""


class Image(_Part, frozen=True, kw_only=True):
    """The one image that all of our processes run."""

    reference: Reference = f"dayfly/dayfly:{__version__}"
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: tuple[Name, ...] = ()
    """Secrets with logins at registries, in our namespace and in the functions'."""


class Resources(_Part, frozen=True, kw_only=True):
    """What a container is promised, and the most it gets; an empty `cpuLimit` is none."""

    cpu: Cpu = "50m"
    memory: Memory = "64Mi"
    cpu_limit: CpuLimit = ""
    memory_limit: Memory = "256Mi"


class Control(_Part, frozen=True, kw_only=True):
    """The control plane; one of the replicas works, the others stand by."""

    replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    resources: Resources = Resources(cpu="100m", memory="160Mi", cpu_limit="2", memory_limit="512Mi")


class Gateway(_Part, frozen=True, kw_only=True):
    """The gateways; all of them work."""

    replicas: Annotated[int, Meta(ge=1, le=100)] = 2
    resources: Resources = Resources(cpu="100m", memory="64Mi", cpu_limit="2", memory_limit="256Mi")


class Queue(_Part, frozen=True, kw_only=True):
    """nats-server: one for a small cluster, three to go on without one of them."""

    nodes: Literal[1, 3] = 1
    storage: Memory = "2Gi"
    storage_class: OptionalName = ""
    """Empty for the cluster's own."""
    is_persistent: bool = msgspec.field(default=True, name="persistent")
    """False keeps calls, and functions' code, only as long as the pod lives: for trying out."""
    resources: Resources = Resources(cpu="50m", memory="64Mi", cpu_limit="1", memory_limit="256Mi")


class Observer(_Part, frozen=True, kw_only=True):
    """What is known of the past: records of calls, logs, figures."""

    storage: Annotated[str, Meta(pattern=r"^([1-9][0-9]*(Ki|Mi|Gi))?$")] = ""
    """How large a volume it gets, which one control plane holds; empty to have it end with the control plane's pod."""
    storage_class: OptionalName = ""
    """Empty for the cluster's own."""


class Pool(_Part, frozen=True, kw_only=True):
    """Pods that wait to become a replica of any function."""

    size: Annotated[int, Meta(ge=0, le=100)] = 2
    resources: Resources = Resources(cpu="50m", memory="96Mi", cpu_limit="", memory_limit="608Mi")
    """The limit is the largest function that fits, and 96Mi; larger ones get a pod of their own."""


class Functions(_Part, frozen=True, kw_only=True):
    """Where functions run."""

    namespace: Name = FUNCTIONS_NAMESPACE
    """Of the pods that run them, whichever namespace they themselves are in."""
    namespaces: Annotated[tuple[Name, ...], Meta(max_length=200)] = (DEFAULT_NAMESPACE,)
    """Of functions, secrets and routes: made at the installation; others are made when they are asked for."""
    is_creating: bool = msgspec.field(default=True, name="createNamespaces")
    is_everywhere: bool = msgspec.field(default=True, name="everywhere")
    """False gives the control plane rights in `namespaces` alone, and no ClusterRole; no others can be made then."""
    egress: Literal["none", "public"] = "public"
    """What they reach beside the gateway: addresses outside of private networks, as far as each may, or nothing."""


class Service(_Part, frozen=True, kw_only=True):
    """How the gateways are reached from inside of the cluster, or, if asked for, from outside."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    port: Port = 80
    annotations: dict[str, str] = {}


class Ingress(_Part, frozen=True, kw_only=True):
    """A way in through the cluster's Ingress controller."""

    enabled: bool = False
    host: Host = ""
    class_name: OptionalName = ""
    tls_secret: OptionalName = ""
    annotations: dict[str, str] = {}


class HttpRoute(_Part, frozen=True, kw_only=True):
    """A way in through a Gateway of the Gateway API."""

    enabled: bool = False
    host: Host = ""
    gateway: OptionalName = ""
    gateway_namespace: OptionalName = ""
    """Empty for ours."""


class Tls(_Part, frozen=True, kw_only=True):
    """The certificate that the gateways show themselves."""

    secret: OptionalName = ""
    """A Secret of the kind kubernetes.io/tls in our namespace; empty for plain HTTP."""
    insecure: bool = False
    """Allow a service that is not ClusterIP without a certificate."""


class Auth(_Part, frozen=True, kw_only=True):
    """The administrator's login."""

    password: Annotated[str, Meta(max_length=200)] = ""
    """Empty for one at random, made at the first installation and kept from then on."""


class Network(_Part, frozen=True, kw_only=True):
    """Who may talk to whom."""

    policies: bool = True
    dns_namespace: Name = "kube-system"
    """Where the cluster's DNS is."""
    metrics_namespaces: tuple[Name, ...] = ()
    """Whose pods may read metrics."""


class Logs(_Part, frozen=True, kw_only=True):
    """What the platform itself says."""

    format: Literal["text", "json"] = "text"
    """Lines for people, or an object a line for what collects them."""


class Setting(_Part, frozen=True, kw_only=True):
    """A setting that the control plane and the gateways are started with, as on one machine; no place for secrets."""

    name: Literal[
        "DAYFLY_ALERT_ALLOW", "DAYFLY_ALERT_INTERVAL", "DAYFLY_AUDIT", "DAYFLY_CALLBACK_ALLOW",
        "DAYFLY_CALLBACK_ANONYMOUS", "DAYFLY_HISTORY", "DAYFLY_LIMITS", "DAYFLY_LOGS", "DAYFLY_LOG_LEVEL",
        "DAYFLY_MAX_BODY", "DAYFLY_MAX_DEPTH",
        "DAYFLY_OTLP_ENDPOINT", "DAYFLY_PRICES", "DAYFLY_PROMETHEUS_URL", "DAYFLY_QUEUE_LIMITS",
        "DAYFLY_QUEUE_UNKNOWN", "DAYFLY_RECORDS", "DAYFLY_TRIGGER_ALLOW",
    ]  # fmt: skip
    value: Annotated[str, Meta(max_length=4096)]


class Values(_Part, frozen=True, kw_only=True):
    """All that may be said of an installation."""

    namespace: Name = SYSTEM_NAMESPACE
    """With Helm it is the release's, and no value."""
    is_creating: bool = msgspec.field(default=True, name="createNamespace")
    crds: bool = True
    image: Image = Image()
    control: Control = Control()
    gateway: Gateway = Gateway()
    queue: Queue = Queue()
    observer: Observer = Observer()
    pool: Pool = Pool()
    functions: Functions = Functions()
    service: Service = Service()
    ingress: Ingress = Ingress()
    http_route: HttpRoute = HttpRoute()
    tls: Tls = Tls()
    auth: Auth = Auth()
    network: Network = Network()
    logs: Logs = Logs()
    settings: tuple[Setting, ...] = ()
    """What else the platform is told, by the names of `dayfly start`."""
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()

    def check(self) -> "Values":
        """Return these values. Raises ConfigError for a combination that nobody can have wanted."""
        for wrong, what, hint in self._rules():
            if wrong:
                raise ConfigError(what, hint=hint)
        # What a pod would refuse when it starts is refused here.
        Settings.resolve(StartOptions(), {each.name: each.value for each in self.settings})
        return self

    def _rules(self) -> list[tuple[bool, str, str]]:
        return [
            (
                self.service.type != "ClusterIP" and not self.tls.secret and not self.tls.insecure,
                f"service.type: {self.service.type} would show the platform outside of the cluster without encryption",
                "name a certificate's Secret in tls.secret, or say tls.insecure: true",
            ),
            (
                self.namespace in (self.functions.namespace, *self.functions.namespaces),
                f"functions: {self.namespace} is where the platform itself is; functions go elsewhere",
                "name other namespaces",
            ),
            (
                len({self.functions.namespace, *self.functions.namespaces}) <= len(self.functions.namespaces),
                "functions.namespaces: one of them is there twice, or is the pods' own (functions.namespace)",
                "name each once",
            ),
            (
                bool(self.observer.storage) and self.control.replicas > 1,
                "observer.storage: the volume is held by one control plane, and control.replicas says several",
                "set control.replicas: 1, or leave observer.storage empty",
            ),
            (
                not self.functions.is_everywhere and DEFAULT_NAMESPACE not in self.functions.namespaces,
                f"functions.everywhere: false takes {DEFAULT_NAMESPACE} among functions.namespaces: it is where"
                " functions go of which no namespace is said",
                f"add {DEFAULT_NAMESPACE}",
            ),
            (
                len({each.name for each in self.settings}) < len(self.settings),
                "settings: one of them is there twice",
                "say each once",
            ),
            (
                self.ingress.enabled and not self.ingress.host,
                "ingress.enabled needs ingress.host: without it the Ingress would answer for every name",
                "set ingress.host",
            ),
            (
                bool(self.tls.secret) and (self.ingress.enabled or self.http_route.enabled),
                "tls.secret: the gateways would speak HTTPS, and ingress and httpRoute send them plain HTTP",
                "leave tls.secret empty, and name the certificate in ingress.tlsSecret or at the Gateway of the route",
            ),
            (
                self.http_route.enabled and not (self.http_route.gateway and self.http_route.host),
                "httpRoute.enabled needs httpRoute.gateway and httpRoute.host",
                "name the Gateway that carries the route, and the host it is for",
            ),
        ]


def decode(given: object) -> Values:
    """Return the values that a file's content, parsed, means. Raises ConfigError, which names the field.

    What is not said of a part is as it is in the part's own defaults, which differ from one to the next.
    """
    whole = merged(msgspec.to_builtins(Values()), given if given is not None else {})
    try:
        return msgspec.convert(whole, Values, strict=False).check()
    except msgspec.ValidationError as error:
        raise ConfigError(f"The values cannot be used: {error}") from error
