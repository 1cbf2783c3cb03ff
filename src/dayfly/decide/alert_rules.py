"""Rules that are there from the start, labels of what rules find, and what is said of it."""

from collections.abc import Mapping

from dayfly.decide.alerting import MOST, Instance, Labels, Terms
from dayfly.model.alert import WATCHED, AlertKind, AlertRule

DEFAULTS = (
    AlertRule(
        name="crash-loop", kind="restarts", severity="critical",
        summary="See why its replicas end: `dayfly logs`, `dayfly describe`.",
    ),
    AlertRule(
        name="dead-letters", kind="dead_letters",
        summary="See them with `dayfly queue dead-letters`; redrive them once the cause is gone, or purge them.",
    ),
    AlertRule(
        name="disk-nearly-full", kind="disk", for_="1m", resolve=0.85, severity="critical",
        summary="Make room below the data folder, or calls will be refused and records lost.",
    ),
    AlertRule(
        name="certificate-ends", kind="certificate",
        summary="Put a new certificate in its place; it is taken up by itself.",
    ),
    AlertRule(
        name="budget-used", kind="budget", summary="When it is used up, further calls are refused; see `dayfly budget`."
    ),
)  # fmt: skip
"""What makes sense on any machine, without a call. Nobody is told before there is a receiver."""


def labels_of(rule: AlertRule, found: Labels) -> dict[str, str]:
    """Return the labels of what a rule found; a namespace's rule finds nothing of another."""
    labels = {name: value[:200] for name, value in found.items() if name != "__name__"} | rule.labels
    if rule.namespace:
        labels["namespace"] = rule.namespace
    return labels | {"alertname": rule.name, "severity": rule.severity}


def text_of(rule: AlertRule, instance: Instance) -> str:
    """Return what is wrong, in a sentence that any channel may carry."""
    if instance.text:
        return instance.text
    terms, watched, labels = Terms.of(rule), WATCHED[rule.kind], instance.labels
    what = _subject(rule.kind, labels)
    figure = _figure(rule.kind, instance.value)
    if terms.threshold is None:
        return f"{what} is {figure}"
    side = "more than" if terms.above else "less than"
    bound = _figure(rule.kind, terms.threshold)
    over = f" in {rule.window or watched.window}" if watched.window else ""
    return f"{what}{over}: {figure}, {side} {bound}"


def _subject(kind: AlertKind, labels: Mapping[str, str]) -> str:
    name = ".".join(filter(None, (labels.get("function", ""), labels.get("namespace", ""))))
    match kind:
        case "error_rate":
            return f"calls of {name} that failed"
        case "latency":
            return f"how long calls of {name} take"
        case "no_traffic":
            return f"calls of {name}"
        case "cold_starts":
            return f"calls of {name} that waited for a start"
        case "replicas":
            return f"ready replicas of {name}"
        case "restarts":
            return f"replicas of {name} that ended by themselves"
        case "queue_depth":
            return f"queued calls of {name}"
        case "dead_letters":
            return f"calls of {name} that failed for good"
        case "budget":
            return f"budget of {name}, {labels.get('measure', '')} in a {labels.get('period', '')}"
        case "disk":
            return "disk of the data folder"
        case "certificate":
            return f"days left of the certificate {labels.get('certificate', '')}"
    inner = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key not in ("alertname", "severity"))
    return labels.get("alertname", "alert") + (f"{{{inner}}}" if inner else "")


def _figure(kind: AlertKind, value: float) -> str:
    if abs(value) == MOST:
        return "beyond what is measured"
    if kind in ("error_rate", "budget", "disk"):
        return f"{value * 100:.4g} %"
    if kind == "latency":
        return f"{value:.4g} s"
    if kind == "certificate":
        return f"{value:.1f}"
    return f"{value:.6g}"
