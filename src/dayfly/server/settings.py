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
| --insecure-http | DAYFLY_INSECURE_HTTP | false |
| --allow-unsandboxed | DAYFLY_ALLOW_UNSANDBOXED | false: without any layer of a sandbox nothing starts |
| | DAYFLY_ALLOW_SDIST | false: dependencies come as wheels, nothing of theirs runs while they are installed |
| | DAYFLY_WORKERS | 2 jails built ahead for functions that start for the first time |
| | DAYFLY_TEMPLATE_MEMORY | 512Mi for the templates that warm functions are forked from |
| | DAYFLY_DRAIN_TIMEOUT | 30s for calls in flight when the platform stops |
| | DAYFLY_MAX_BODY | 10Mi for the body of a call |
| | DAYFLY_LIMITS | what one connection may ask for, such as header_timeout_s=20,answer_bytes=0; docs/http.md |
| | DAYFLY_LOG_LEVEL | info |
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dayfly.http1.limits import Limits
from dayfly.model.errors import ConfigError, InvalidSpec
from dayfly.model.quantities import parse_duration, parse_memory

DEFAULT_PORT, DEFAULT_CONSOLE_PORT, DEFAULT_METRICS_PORT = 8080, 8081, 8082
MAX_GATEWAYS = 64
_WORKERS = 2
_TEMPLATE_BUDGET_BYTES, _MAX_BODY_BYTES, _DRAIN_S = 512 * 2**20, 10 * 2**20, 30.0
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
    insecure_http: bool | None = None
    allow_unsandboxed: bool | None = None
    detach: bool = False


class Port(msgspec.Struct, frozen=True):
    """A TCP port and whether somebody asked for just this one: only one that nobody asked for may be replaced."""

    number: int
    asked_for: bool


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
    insecure_http: bool = False
    allow_unsandboxed: bool = False
    allow_sdist: bool = False
    workers: int = _WORKERS
    template_budget_bytes: int = _TEMPLATE_BUDGET_BYTES
    drain_s: float = _DRAIN_S
    max_body_bytes: int = _MAX_BODY_BYTES
    log_level: str = "info"
    limits: Limits = Limits()
    """But for `body_bytes`, which is `max_body_bytes`."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the public listener."""
        return ipaddress.ip_address(self.host).is_loopback

    @classmethod
    def resolve(cls, options: StartOptions, environ: Mapping[str, str]) -> "Settings":
        """Return the settings that flags, environment and defaults make together. Raises ConfigError."""
        source = _Source(environ)
        settings = cls(
            data_dir=str(data_dir(options.data_dir, environ)),
            host=_host(options.host or source.text("HOST") or "127.0.0.1"),
            port=source.port("PORT", options.port, DEFAULT_PORT),
            console_port=source.port("CONSOLE_PORT", options.console_port, DEFAULT_CONSOLE_PORT),
            metrics_port=source.port("METRICS_PORT", options.metrics_port, DEFAULT_METRICS_PORT),
            gateways=source.number("GATEWAYS", options.gateways, 1, lowest=1, highest=MAX_GATEWAYS),
            tls_cert=_file("--tls-cert", options.tls_cert or source.text("TLS_CERT")),
            tls_key=_file("--tls-key", options.tls_key or source.text("TLS_KEY")),
            insecure_http=source.truth("INSECURE_HTTP", options.insecure_http),
            allow_unsandboxed=source.truth("ALLOW_UNSANDBOXED", options.allow_unsandboxed),
            allow_sdist=source.truth("ALLOW_SDIST", None),
            workers=source.number("WORKERS", None, _WORKERS, lowest=0, highest=64),
            template_budget_bytes=source.memory("TEMPLATE_MEMORY", _TEMPLATE_BUDGET_BYTES),
            drain_s=source.duration("DRAIN_TIMEOUT", _DRAIN_S),
            max_body_bytes=source.memory("MAX_BODY", _MAX_BODY_BYTES),
            limits=source.limits("LIMITS"),
            log_level=source.choice("LOG_LEVEL", _LEVELS, "info"),
        )
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse an exposure that nobody can have wanted. Raises ConfigError."""
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("--tls-cert and --tls-key go together; only one of them was given")
        if not self.is_loopback and not self.tls_cert and not self.insecure_http:
            raise ConfigError(
                f"--host {self.host} would show the platform to other machines without encryption: anybody on the way "
                "could read the admin password and every call",
                hint="give --tls-cert and --tls-key, or --insecure-http when something else in front encrypts",
            )


def data_dir(given: str | None, environ: Mapping[str, str]) -> Path:
    """Return the absolute data folder: the one given, else DAYFLY_DATA_DIR, else the account's own."""
    text = given or environ.get("DAYFLY_DATA_DIR", "")
    if text:
        return Path(text).expanduser().absolute()
    return Path("/var/lib/dayfly") if os.geteuid() == 0 else Path.home() / ".local/share/dayfly"


class _Source:
    """The environment variables of Dayfly, read by kind; a malformed one is refused by its name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        return self._environ.get(f"DAYFLY_{name}", "")

    def number(self, name: str, given: int | None, default: int, *, lowest: int, highest: int) -> int:
        text = self.text(name)
        if given is None and text and not (text.isascii() and text.isdigit()):
            raise ConfigError(f"DAYFLY_{name}: {text!r} is not a whole number")
        value = given if given is not None else int(text or default)
        if not lowest <= value <= highest:
            raise ConfigError(f"{name.lower().replace('_', '-')}: {value} must be from {lowest} to {highest}")
        return value

    def port(self, name: str, given: int | None, default: int) -> Port:
        asked_for = given is not None or bool(self.text(name))
        return Port(self.number(name, given, default, lowest=0, highest=65_535), asked_for)

    def truth(self, name: str, given: bool | None) -> bool:
        text = self.text(name).lower()
        if given is not None:
            return given
        if text not in ("", "0", "1", "false", "true"):
            raise ConfigError(f"DAYFLY_{name}: {text!r} must be true or false")
        return text in ("1", "true")

    def memory(self, name: str, default: int) -> int:
        try:
            return parse_memory(self.text(name)) if self.text(name) else default
        except InvalidSpec as refused:
            raise ConfigError(f"DAYFLY_{name}: {refused}") from refused

    def duration(self, name: str, default: float) -> float:
        try:
            return parse_duration(self.text(name)) if self.text(name) else default
        except InvalidSpec as refused:
            raise ConfigError(f"DAYFLY_{name}: {refused}") from refused

    def limits(self, name: str) -> Limits:
        given: dict[str, str] = {}
        for each in filter(None, self.text(name).split(",")):
            field, _, value = each.partition("=")
            given[field.strip()] = value.strip()
        try:
            limits = msgspec.convert(given, Limits, strict=False)
        except msgspec.ValidationError as refused:
            raise ConfigError(
                f"DAYFLY_{name}: {refused}", hint="write for example header_timeout_s=20,idle_s=60"
            ) from refused
        if "body_bytes" in given or any(value < 0 for value in msgspec.structs.astuple(limits)):
            raise ConfigError(f"DAYFLY_{name}: no limit is negative, and body_bytes is DAYFLY_MAX_BODY")
        return limits

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        text = self.text(name).lower() or default
        if text not in choices:
            raise ConfigError(f"DAYFLY_{name}: {text!r} must be one of {', '.join(choices)}")
        return text


def _host(text: str) -> str:
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise ConfigError(
            f"--host: {text!r} is not an IP address", hint="write for example 127.0.0.1, ::1 or 0.0.0.0"
        ) from None


def _file(flag: str, text: str) -> str:
    if text and not os.access(text, os.R_OK):
        raise ConfigError(f"{flag}: {text} cannot be read")
    return str(Path(text).absolute()) if text else ""
