"""Alerts: rules that watch figures, what they found, and silences.

A rule is a namespace's, and watches its functions alone, or the installation's, and watches all. What it found is known
by labels; `namespace` among them says whose it is, so that a namespace sees every alert about its functions, whoever
made the rule.
"""

from typing import Literal

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.names import parse_alert_name, parse_function_name, parse_namespace
from dayfly.model.quantities import parse_duration

AlertKind = Literal[
    "error_rate", "latency", "no_traffic", "cold_starts", "replicas", "restarts", "queue_depth", "dead_letters",
    "budget", "disk", "certificate", "promql",
]  # fmt: skip
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
AlertState = Literal["pending", "firing", "resolved"]
Direction = Literal["above", "below"]

MAX_NAMESPACE_RULES = 100
MAX_SILENCES = 200
MAX_EXPRESSION = 4_000
MAX_TEXT = 500
MAX_SPAN_S = 30 * 86_400.0
MAX_LABELS = 30


class Watched(msgspec.Struct, frozen=True):
    """What a kind of rule looks at, and what it takes where the rule does not say."""

    direction: Direction
    threshold: float | None
    window: str
    """Empty for what is looked at as it is now."""
    of: str
    """What the figure is, in words."""
    of_functions: bool = True


WATCHED: dict[AlertKind, Watched] = {
    "error_rate": Watched("above", 0.05, "5m", "part of calls that failed"),
    "latency": Watched("above", None, "5m", "seconds within which calls were answered"),
    "no_traffic": Watched("below", 1, "15m", "calls"),
    "cold_starts": Watched("above", None, "15m", "calls that waited for a replica to start"),
    "replicas": Watched("below", None, "", "replicas ready"),
    "restarts": Watched("above", 2, "10m", "replicas that ended by themselves"),
    "queue_depth": Watched("above", None, "", "calls that wait in the queue"),
    "dead_letters": Watched("above", 0, "", "calls that failed for good"),
    "budget": Watched("above", 0.9, "", "part of a budget that is used"),
    "disk": Watched("above", 0.9, "", "part of the disk that is used", of_functions=False),
    "certificate": Watched("below", 14, "", "days until a certificate ends", of_functions=False),
    "promql": Watched("above", None, "", "value of the expression"),
}


class AlertRule(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename={"for_": "for"}
):
    """What is watched, and when that is an alert. Spans of time are written as `5m`."""

    name: str
    namespace: str = ""
    """Whose it is; empty for the installation's."""
    kind: AlertKind
    function: str = ""
    """Only this one of the namespace; empty for all."""
    threshold: float | None = None
    """Beyond it there is an alert; null for the kind's own. Parts are written as 0.05, times as seconds."""
    direction: Direction | None = None
    """On which side of the threshold there is an alert; null for the kind's own."""
    resolve: float | None = None
    """Up to where an alert stays that is firing, so that one at the threshold does not come and go; null for the
    threshold itself."""
    window: str = ""
    """Over how long calls are counted; empty for the kind's own."""
    quantile: float = 0.95
    """For latency: the part of the calls that has to be answered by then."""
    expr: str = ""
    """For promql: the expression; each element of its vector is one alert."""
    for_: str = "0s"
    """For how long it must hold before the alert fires; it is pending until then."""
    keep_firing_for: str = "0s"
    """For how long it must not hold before the alert is resolved."""
    severity: Severity = "warning"
    summary: str = ""
    """What people are to read with it, such as what to do."""
    labels: dict[str, str] = {}
    """Further labels of its alerts."""
    receivers: tuple[str, ...] = ()
    """Who is told; empty for every receiver that takes such alerts."""
    paused: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Its identity."""
        return self.namespace, self.name

    @property
    def window_s(self) -> float:
        """Over how long calls are counted, in seconds; 0 for what is looked at as it is now."""
        text = self.window or WATCHED[self.kind].window
        return parse_duration(text) if text else 0.0

    def check(self) -> None:
        """Refuse what cannot be watched. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_alert_name(self.name)
        if self.namespace:
            parse_namespace(self.namespace)
        watched = WATCHED[self.kind]
        if self.function:
            parse_function_name(self.function)
            if not watched.of_functions or self.kind == "promql":
                raise InvalidSpec(f"function: a rule of kind {self.kind} is not about one function")
            if not self.namespace:
                raise InvalidSpec("function: a rule about one function needs the function's namespace")
        if self.namespace and not watched.of_functions:
            raise InvalidSpec(f"kind: {self.kind} is about the installation, so its rule cannot be a namespace's")
        self._check_figures(watched)
        self._check_spans(watched)
        check_labels("labels", self.labels)
        check_text("summary", self.summary)
        if len(self.receivers) > MAX_LABELS:
            raise InvalidSpec(f"receivers: at most {MAX_LABELS} may be named")
        for name in self.receivers:
            parse_alert_name(name)

    def _check_figures(self, watched: Watched) -> None:
        if (self.kind == "promql") != bool(self.expr):
            raise InvalidSpec("expr: a rule of kind promql has one, and no other")
        if len(self.expr) > MAX_EXPRESSION:
            raise InvalidSpec(f"expr: has {len(self.expr)} characters, more than the {MAX_EXPRESSION} it may have")
        threshold = self.threshold if self.threshold is not None else watched.threshold
        if threshold is None and self.kind != "promql":
            raise InvalidSpec(f"threshold: a rule of kind {self.kind} needs one: {watched.of}")
        if self.resolve is not None:
            if threshold is None:
                raise InvalidSpec("resolve: needs a threshold beside it")
            direction = self.direction or watched.direction
            if (self.resolve > threshold) if direction == "above" else (self.resolve < threshold):
                side = "above" if direction == "above" else "below"
                raise InvalidSpec(f"resolve: {self.resolve:g} must not be {side} the threshold, {threshold:g}")
        if not 0 < self.quantile < 1:
            raise InvalidSpec(f"quantile: {self.quantile:g} must be between 0 and 1")

    def _check_spans(self, watched: Watched) -> None:
        for field, text in (("for", self.for_), ("keep_firing_for", self.keep_firing_for)):
            parse_span(field, text, 0.0, MAX_SPAN_S)
        if self.window and not watched.window:
            raise InvalidSpec(f"window: a rule of kind {self.kind} looks at what is now, and has none")
        if self.window:
            parse_span("window", self.window, 60.0, 86_400.0)


class KeptRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is kept."""

    rule: AlertRule
    created_unix_ms: int
    updated_unix_ms: int


class RuleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and how it does."""

    rule: AlertRule
    created_unix_ms: int
    updated_unix_ms: int
    state: Literal["inactive", "pending", "firing", "paused", "failing"] = "inactive"
    """failing: it cannot be looked at; `trouble` says why, and its alerts stay as they were."""
    alerts: int = 0
    """Alerts of it that are pending or firing."""
    trouble: str = ""
    looked_unix_ms: int = 0
    """When it was last looked at; 0 for not yet."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a rule found, or that an Alertmanager told of."""

    id: str
    """Known by its labels and its rule's owner."""
    rule: str
    namespace: str
    """Which one it is about; empty for the installation."""
    kind: Literal[AlertKind, "incoming"]
    severity: Severity
    state: AlertState
    labels: dict[str, str]
    value: float
    text: str
    """What is wrong, in a sentence."""
    summary: str = ""
    pending_unix_ms: int
    """Since when it has been so."""
    fired_unix_ms: int = 0
    resolved_unix_ms: int = 0
    silences: tuple[str, ...] = ()
    """Which silences keep it from being told of now."""


class Matcher(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A label and what it has to be, or must not be. A `*` in the value stands for any text."""

    name: str
    value: str
    is_equal: bool = True

    @classmethod
    def parse(cls, text: str) -> "Matcher":
        """Return what `NAME=VALUE` or `NAME!=VALUE` means. Raises InvalidSpec."""
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidSpec(f"{text[:80]!r} is not NAME=VALUE or NAME!=VALUE")
        found = cls(name.removesuffix("!").strip(), value.strip(), not name.endswith("!"))
        found.check()
        return found

    def check(self) -> None:
        """Refuse what is no label. Raises InvalidSpec."""
        check_labels("matchers", {self.name: self.value})

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.name}{'=' if self.is_equal else '!='}{self.value}"


class SilenceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A silence that is wanted."""

    matchers: tuple[Matcher, ...]
    comment: str = ""
    starts_unix_ms: int = 0
    """0 for now."""
    ends_unix_ms: int = 0
    """Or `duration` says it."""
    duration: str = ""

    def check(self) -> None:
        """Refuse what cannot be kept, and what would keep everything quiet by mistake. Raises InvalidSpec."""
        if not self.matchers or len(self.matchers) > MAX_LABELS:
            raise InvalidSpec(f"matchers: 1 to {MAX_LABELS} say which alerts are meant; alertname=* means all")
        for matcher in self.matchers:
            matcher.check()
        check_text("comment", self.comment)
        if bool(self.duration) == bool(self.ends_unix_ms):
            raise InvalidSpec("a silence has either a duration or an end")
        if self.duration:
            parse_span("duration", self.duration, 1.0, 365 * 86_400.0)


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A silence: alerts that all its matchers fit are told to nobody while it lasts."""

    id: str
    namespace: str
    """Whose alerts it is about; empty for everybody's."""
    matchers: tuple[Matcher, ...]
    starts_unix_ms: int
    ends_unix_ms: int
    comment: str
    created_by: str
    created_unix_ms: int


def check_labels(field: str, labels: dict[str, str]) -> None:
    """Refuse labels that are none, or too long. Raises InvalidSpec."""
    if len(labels) > MAX_LABELS:
        raise InvalidSpec(f"{field}: {len(labels)} labels are more than {MAX_LABELS}")
    for name, value in labels.items():
        is_name = name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()
        if not is_name or len(name) > 64:
            raise InvalidSpec(f"{field}: {name[:64]!r} is no label: letters, digits and '_', no digit first")
        if len(value) > 200 or not value.isprintable():
            raise InvalidSpec(f"{field}: {name}: must be at most 200 printable characters")


def check_text(field: str, text: str) -> None:
    """Refuse a text that is too long, or holds what no terminal or mail should. Raises InvalidSpec."""
    if len(text) > MAX_TEXT or not text.replace("\n", "").isprintable():
        raise InvalidSpec(f"{field}: must be at most {MAX_TEXT} printable characters")


def parse_span(field: str, text: str, least_s: float, most_s: float) -> float:
    """Return the seconds of a span of time. Raises InvalidSpec with the field in the text."""
    try:
        span_s = parse_duration(text)
    except InvalidSpec as error:
        raise InvalidSpec(f"{field}: {error.message}") from error
    if not least_s <= span_s <= most_s:
        raise InvalidSpec(f"{field}: {text[:40]!r} must be from {least_s:g} to {most_s:g} seconds")
    return span_s
