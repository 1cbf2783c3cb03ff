"""The environment variables that begin with DAYFLY_, read by kind; a malformed one is refused by its name."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from dayfly.http1.limits import Limits
from dayfly.model.alert_settings import AlertSettings
from dayfly.model.errors import ConfigError, InvalidSpec
from dayfly.model.quantities import parse_duration, parse_memory
from dayfly.model.reach import Reach
from dayfly.model.replica import Ceilings
from dayfly.queue.limits import QueueLimits

_LEAST_TMP_BYTES = 2**20
T = TypeVar("T")


class Port(msgspec.Struct, frozen=True):
    """A TCP port and whether somebody asked for just this one: only one that nobody asked for may be replaced."""

    number: int
    asked_for: bool


class Environment:
    """What was set, without the DAYFLY_."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        """Return the variable as it is; empty when it is not there."""
        return self._environ.get(f"DAYFLY_{name}", "")

    def number(self, name: str, given: int | None, default: int, *, lowest: int, highest: int) -> int:
        """Return what was given, else the variable, else the default. Raises ConfigError out of range."""
        text = self.text(name)
        if given is None and text and not (text.isascii() and text.isdigit()):
            raise ConfigError(f"DAYFLY_{name}: {text!r} is not a whole number")
        value = given if given is not None else int(text or default)
        if not lowest <= value <= highest:
            raise ConfigError(f"{name.lower().replace('_', '-')}: {value} must be from {lowest} to {highest}")
        return value

    def port(self, name: str, given: int | None, default: int) -> Port:
        """Return a port, and whether somebody asked for it. Raises ConfigError."""
        asked_for = given is not None or bool(self.text(name))
        return Port(self.number(name, given, default, lowest=0, highest=65_535), asked_for)

    def truth(self, name: str, given: bool | None) -> bool:
        """Return what was given, else the variable, else false. Raises ConfigError."""
        text = self.text(name).lower()
        if given is not None:
            return given
        if text not in ("", "0", "1", "false", "true"):
            raise ConfigError(f"DAYFLY_{name}: {text!r} must be true or false")
        return text in ("1", "true")

    def memory(self, name: str, default: int) -> int:
        """Return an amount in bytes. Raises ConfigError."""
        return self.parsed(name, parse_memory, default)

    def duration(self, name: str, default: float) -> float:
        """Return a span in seconds. Raises ConfigError."""
        return self.parsed(name, parse_duration, default)

    def parsed(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Return what `parse` makes of the variable, which raises InvalidSpec. Raises ConfigError."""
        try:
            return parse(self.text(name)) if self.text(name) else default
        except InvalidSpec as refused:
            raise ConfigError(f"DAYFLY_{name}: {refused}") from refused

    def ceilings(self, default: Ceilings) -> Ceilings:
        """Return what each replica may have; less than the lowest and the runtime itself would not start."""
        tmp_bytes = self.memory("MAX_TMP", default.tmp_bytes)
        if tmp_bytes < _LEAST_TMP_BYTES:
            raise ConfigError(f"DAYFLY_MAX_TMP: {tmp_bytes} bytes are too few; give 1Mi or more")
        return Ceilings(
            processes=self.number("MAX_PROCESSES", None, default.processes, lowest=96, highest=32_768),
            open_files=self.number("MAX_FILES", None, default.open_files, lowest=256, highest=1 << 20),
            tmp_bytes=tmp_bytes,
        )

    def queue(self, name: str) -> QueueLimits:
        """Return the queue's limits. Raises ConfigError."""
        given: dict[str, object] = {**self.fields(name)}
        allow = tuple(part.strip() for part in self.text("CALLBACK_ALLOW").split(",") if part.strip())
        if {"accept_unknown", "callback_allow", "callback_anonymous"} & given.keys():
            raise ConfigError(
                f"DAYFLY_{name}: DAYFLY_QUEUE_UNKNOWN, DAYFLY_CALLBACK_ALLOW and DAYFLY_CALLBACK_ANONYMOUS "
                "are settings of their own"
            )
        given["callback_anonymous"] = self.truth("CALLBACK_ANONYMOUS", None)
        given["accept_unknown"] = self.truth("QUEUE_UNKNOWN", None)
        try:
            limits = msgspec.convert(
                {**given, **({"callback_allow": allow} if allow else {})}, QueueLimits, strict=False
            )
            limits.check()
        except (msgspec.ValidationError, InvalidSpec) as refused:
            raise ConfigError(
                f"DAYFLY_{name}: {refused}", hint="write for example calls=1000,concurrency=8"
            ) from refused
        return limits

    def alerts(self) -> AlertSettings:
        """Return how alerts are looked for and told. Raises ConfigError."""
        allow = tuple(part.strip() for part in self.text("ALERT_ALLOW").split(",") if part.strip())
        default = AlertSettings()
        settings = AlertSettings(every_s=self.duration("ALERT_INTERVAL", default.every_s), allow=allow or default.allow)
        try:
            settings.check()
        except InvalidSpec as refused:
            raise ConfigError(
                f"DAYFLY_ALERT_INTERVAL or DAYFLY_ALERT_ALLOW: {refused}",
                hint="write for example 15s, and public,mail.example.org:587",
            ) from refused
        return settings

    def fields(self, name: str) -> dict[str, str]:
        """Return `name=value` pairs with commas between."""
        pairs = (each.partition("=") for each in self.text(name).split(",") if each)
        return {field.strip(): value.strip() for field, _, value in pairs}

    def limits(self, name: str) -> Limits:
        """Return a connection's limits. Raises ConfigError."""
        given = self.fields(name)
        try:
            limits = msgspec.convert(given, Limits, strict=False)
        except msgspec.ValidationError as refused:
            raise ConfigError(
                f"DAYFLY_{name}: {refused}", hint="write for example header_timeout_s=20,idle_s=60"
            ) from refused
        if "body_bytes" in given or any(value < 0 for value in msgspec.structs.astuple(limits)):
            raise ConfigError(f"DAYFLY_{name}: no limit is negative, and body_bytes is DAYFLY_MAX_BODY")
        return limits

    def choice(self, name: str, choices: tuple[str, ...], default: str, given: str | None = None) -> str:
        """Return one of the choices, the one that was given first. Raises ConfigError."""
        text = (given or self.text(name)).lower() or default
        if text not in choices:
            raise ConfigError(f"DAYFLY_{name}: {text!r} must be one of {', '.join(choices)}")
        return text

    def reach(self) -> Reach:
        """Return how far triggers reach. Raises ConfigError."""
        try:
            return Reach.parse(self.text("TRIGGER_ALLOW"), self.text("TRIGGER_FOLDERS"))
        except InvalidSpec as refused:
            raise ConfigError(
                f"DAYFLY_TRIGGER_ALLOW or DAYFLY_TRIGGER_FOLDERS: {refused}",
                hint="write for example kafka.example.org:9092,10.1.2.3:5672, and /srv/inbox",
            ) from refused
