"""What one installation was told to be: flags over environment over defaults, checked once, before anything starts.

`StartOptions` is what somebody typed, with None for what was left open. `Settings` is the whole truth made of it; the
processes of an installation read it from `RUN_DIR/settings.json`, so that all of them see the same.

| flag | environment | default |
|---|---|---|
| --host | DAYFLY_HOST | 127.0.0.1 |
| --port | DAYFLY_PORT | 8080 |
| --console-port | DAYFLY_CONSOLE_PORT | 8081, always on loopback |
| --metrics-port | DAYFLY_METRICS_PORT | 8082, always on loopback |
| --data-dir | DAYFLY_DATA_DIR | /var/lib/dayfly for root, else ~/.local/share/dayfly |
| --gateways | DAYFLY_GATEWAYS | 1 |
| --tls-cert, --tls-key | DAYFLY_TLS_CERT, DAYFLY_TLS_KEY | none |
| --tls-folder | DAYFLY_TLS_FOLDER | none: a folder with certificates of hosts of their own; docs/routes.md |
| --insecure-http | DAYFLY_INSECURE_HTTP | false |
| --allow-unsandboxed | DAYFLY_ALLOW_UNSANDBOXED | false: without any layer of a sandbox nothing starts |
| | DAYFLY_ALLOW_SDIST | false: dependencies come as wheels, nothing of theirs runs while they are installed |
| | DAYFLY_WORKERS | 2 jails built ahead for functions that start for the first time |
| | DAYFLY_TEMPLATE_MEMORY | 512Mi for the templates that warm functions are forked from |
| | DAYFLY_DRAIN_TIMEOUT | 30s for calls in flight when the platform stops |
| | DAYFLY_METRICS_OPEN | false: who reads metrics needs a credential; true: nobody on this machine does |
| | DAYFLY_MAX_BODY | 10Mi for the body of a call |
| | DAYFLY_SECRETS_KEY_FILE | the one in /etc/dayfly/keys for root, else in ~/.config/dayfly/keys; docs/secrets.md |
| | DAYFLY_MAX_PROCESSES | 512 processes and threads of a replica |
| | DAYFLY_MAX_FILES | 4096 open files and sockets of each of its processes |
| | DAYFLY_MAX_TMP | 256Mi for the /tmp of a function, or half of its memory limit when that is less |
| | DAYFLY_LIMITS | what one connection may ask for, such as header_timeout_s=20,answer_bytes=0; docs/http.md |
| | DAYFLY_DOCKER_HOST | a container engine's socket, unix://PATH, or none; else DOCKER_HOST, else the usual places |
| | DAYFLY_QUEUE_LIMITS | what the queue takes and does at a time, such as calls=1000,concurrency=8; docs/async.md |
| | DAYFLY_NATS_SERVER | nats-server's program, or none for no queue; else the one installed with this, else PATH's |
| | DAYFLY_QUEUE_UNKNOWN | false: calls of functions that do not exist are refused; true: accepted, as OpenFaaS does |
| | DAYFLY_CALLBACK_ANONYMOUS | true: callbacks are made for callers without a credential too, as OpenFaaS does |
| | DAYFLY_CALLBACK_ALLOW | public: where callbacks may go, entries as in a function's `allow`, separated by commas |
| | DAYFLY_TRIGGER_ALLOW | none: HOST:PORTs that namespaces' own triggers may connect to, separated by commas |
| | DAYFLY_TRIGGER_FOLDERS | none: folders below which the administrator's triggers may take files |
| | DAYFLY_LOGS | how much of logs is kept: keep=720h,lines=20000 of a function,size=256Mi in all; docs/query.md |
| | DAYFLY_RECORDS | which calls are recorded and for how long, such as keep=168h,size=512Mi, or off; docs/calls.md |
| | DAYFLY_AUDIT | how long and how much of the audit log is kept, as keep=8760h,entries=1000000; docs/audit.md |
| | DAYFLY_HISTORY | how much history is kept, such as size=512Mi,series=20000, or off; docs/history.md |
| | DAYFLY_PROMETHEUS_URL | none: a Prometheus that is asked instead of our own history |
| | DAYFLY_PRICES | none: what use costs, as call=0.0000002,cpu_second=0.00002,gib_second=0.000003,currency=EUR |
| | DAYFLY_MAX_DEPTH | 32 calls of functions, one made by the other; docs/budgets.md |
| | DAYFLY_ALERT_INTERVAL | 15s between two looks at the rules of alerts; docs/alerts.md |
| | DAYFLY_ALERT_ALLOW | public: where namespaces' receivers may lead, as DAYFLY_CALLBACK_ALLOW |
| | DAYFLY_LOG_LEVEL | info |
| --log-format | DAYFLY_LOG_FORMAT | text: lines for people; json: an object a line; docs/observability.md |
| | DAYFLY_OTLP_ENDPOINT | OTEL_EXPORTER_OTLP_ENDPOINT, else none: where spans go, as http://127.0.0.1:4318 |
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dayfly.http1.limits import Limits
from dayfly.model.alert_settings import AlertSettings
from dayfly.model.audit import AuditLimits, audit_limits
from dayfly.model.cost import Prices
from dayfly.model.depth import DEFAULT_MAX_DEPTH, HIGHEST
from dayfly.model.errors import ConfigError
from dayfly.model.history import HistoryLimits, history_limits, prometheus_url
from dayfly.model.invocation import RecordLimits, record_limits
from dayfly.model.log import Retention, log_retention
from dayfly.model.reach import Reach
from dayfly.model.replica import Ceilings
from dayfly.providers.docker.endpoint import candidates
from dayfly.queue.limits import QueueLimits
from dayfly.runtimes.log_event import LogFormat
from dayfly.server.environment import Environment, Port
from dayfly.server.given_address import address, web_address
from dayfly.server.given_paths import key_file, readable_file, readable_folder

DEFAULT_PORT, DEFAULT_CONSOLE_PORT, DEFAULT_METRICS_PORT = 8080, 8081, 8082
MAX_GATEWAYS = 64
_WORKERS = 2
_TEMPLATE_BUDGET_BYTES, _MAX_BODY_BYTES, _DRAIN_S = 512 * 2**20, 10 * 2**20, 30.0
_FORMATS = ("text", "json")
_LEVELS = ("debug", "info", "warning", "error")


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `dayfly start` was given on its command line; None means it was not given."""

    host: str | None = None
    port: int | None = None
    console_port: int | None = None
    metrics_port: int | None = None
    data_dir: str | None = None
    gateways: int | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_folder: str | None = None
    insecure_http: bool | None = None
    allow_unsandboxed: bool | None = None
    detach: bool = False
    attached: bool = False
    """Whether a platform in the background ends with the thread that starts it."""
    secrets_key_file: str | None = None
    log_format: str | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was decided about an installation before it started. Paths are absolute."""

    data_dir: str
    host: str
    port: Port
    console_port: Port
    metrics_port: Port
    gateways: int = 1
    tls_cert: str = ""
    tls_key: str = ""
    tls_folder: str = ""
    insecure_http: bool = False
    allow_unsandboxed: bool = False
    allow_sdist: bool = False
    metrics_open: bool = False
    workers: int = _WORKERS
    template_budget_bytes: int = _TEMPLATE_BUDGET_BYTES
    drain_s: float = _DRAIN_S
    max_body_bytes: int = _MAX_BODY_BYTES
    log_level: str = "info"
    log_format: LogFormat = "text"
    otlp_endpoint: str = ""
    """Where spans go; empty for nowhere."""
    secrets_key_file: str = ""
    """The file that was given; empty where the installation has one of its own in `key_dir`."""
    engine_sockets: tuple[str, ...] = candidates("", {}, uid=os.geteuid())
    """Where a container engine is looked for."""
    limits: Limits = Limits()
    """But for `body_bytes`, which is `max_body_bytes`."""
    ceilings: Ceilings = Ceilings()
    queue: QueueLimits = QueueLimits()
    reach: Reach = Reach()
    records: RecordLimits = RecordLimits()
    audit: AuditLimits = AuditLimits()
    logs: Retention = Retention()
    history: HistoryLimits = HistoryLimits()
    prometheus_url: str = ""
    max_depth: int = DEFAULT_MAX_DEPTH
    prices: Prices = Prices()
    alerts: AlertSettings = AlertSettings()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the public listener."""
        return ipaddress.ip_address(self.host).is_loopback

    @classmethod
    def resolve(cls, options: StartOptions, environ: Mapping[str, str]) -> "Settings":
        """Return the settings that flags, environment and defaults make together. Raises ConfigError."""
        source = Environment(environ)
        settings = cls(
            data_dir=str(data_dir(options.data_dir, environ)),
            host=address(options.host or source.text("HOST") or "127.0.0.1"),
            port=source.port("PORT", options.port, DEFAULT_PORT),
            console_port=source.port("CONSOLE_PORT", options.console_port, DEFAULT_CONSOLE_PORT),
            metrics_port=source.port("METRICS_PORT", options.metrics_port, DEFAULT_METRICS_PORT),
            gateways=source.number("GATEWAYS", options.gateways, 1, lowest=1, highest=MAX_GATEWAYS),
            tls_cert=readable_file("--tls-cert", options.tls_cert or source.text("TLS_CERT")),
            tls_key=readable_file("--tls-key", options.tls_key or source.text("TLS_KEY")),
            tls_folder=readable_folder("--tls-folder", options.tls_folder or source.text("TLS_FOLDER")),
            insecure_http=source.truth("INSECURE_HTTP", options.insecure_http),
            allow_unsandboxed=source.truth("ALLOW_UNSANDBOXED", options.allow_unsandboxed),
            allow_sdist=source.truth("ALLOW_SDIST", None),
            metrics_open=source.truth("METRICS_OPEN", None),
            workers=source.number("WORKERS", None, _WORKERS, lowest=0, highest=64),
            template_budget_bytes=source.memory("TEMPLATE_MEMORY", _TEMPLATE_BUDGET_BYTES),
            drain_s=source.duration("DRAIN_TIMEOUT", _DRAIN_S),
            max_body_bytes=source.memory("MAX_BODY", _MAX_BODY_BYTES),
            limits=source.limits("LIMITS"),
            secrets_key_file=key_file(options.secrets_key_file or source.text("SECRETS_KEY_FILE"), environ),
            ceilings=source.ceilings(Ceilings()),
            queue=source.queue("QUEUE_LIMITS"),
            reach=source.reach(),
            records=source.parsed("RECORDS", record_limits, RecordLimits()),
            audit=source.parsed("AUDIT", audit_limits, AuditLimits()),
            logs=source.parsed("LOGS", log_retention, Retention()),
            history=source.parsed("HISTORY", history_limits, HistoryLimits()),
            prometheus_url=source.parsed("PROMETHEUS_URL", prometheus_url, ""),
            prices=source.parsed("PRICES", Prices.parse, Prices()),
            alerts=source.alerts(),
            max_depth=source.number("MAX_DEPTH", None, DEFAULT_MAX_DEPTH, lowest=1, highest=HIGHEST),
            log_level=source.choice("LOG_LEVEL", _LEVELS, "info"),
            log_format="json"
            if source.choice("LOG_FORMAT", _FORMATS, "text", options.log_format) == "json"
            else "text",
            otlp_endpoint=web_address(
                "DAYFLY_OTLP_ENDPOINT", source.text("OTLP_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
            ),
            engine_sockets=candidates(source.text("DOCKER_HOST"), environ, uid=os.geteuid()),
        )
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse an exposure that nobody can have wanted. Raises ConfigError."""
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("--tls-cert and --tls-key go together; only one of them was given")
        if self.tls_folder and not self.tls_cert:
            raise ConfigError("--tls-folder needs --tls-cert and --tls-key too, for clients that name another host")
        if not self.is_loopback and not self.tls_cert and not self.insecure_http:
            raise ConfigError(
                f"--host {self.host} would show the platform to other machines without encryption: anybody on the way "
                "could read the admin password and every call",
                hint="give --tls-cert and --tls-key, or --insecure-http when something else in front encrypts",
            )
        if self.secrets_key_file and Path(self.secrets_key_file).resolve().is_relative_to(
            Path(self.data_dir).resolve()
        ):
            raise ConfigError(
                f"DAYFLY_SECRETS_KEY_FILE: {self.secrets_key_file} lies in the data folder: a copy of that would then"
                " hold the secrets and the key to them",
                hint="keep the key in another place",
            )


def data_dir(given: str | None, environ: Mapping[str, str]) -> Path:
    """Return the absolute data folder: the one given, else DAYFLY_DATA_DIR, else the account's own."""
    text = given or environ.get("DAYFLY_DATA_DIR", "")
    if text:
        return Path(text).expanduser().absolute()
    return Path("/var/lib/dayfly") if os.geteuid() == 0 else Path.home() / ".local/share/dayfly"


def key_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder in which installations have key files of their own: the account's own, or root's."""
    if os.geteuid() == 0:
        return Path("/etc/dayfly/keys")
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dayfly/keys"
