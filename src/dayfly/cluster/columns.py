"""What `kubectl get` shows of our kinds; columns of the priority 1 come with `-o wide`."""

from dayfly.cluster.kinds import Kind, Object


def columns(kind: Kind) -> list[Object]:
    """Return the columns of a kind, with its age as the last one."""
    return [*_own(kind), _column("Age", ".metadata.creationTimestamp", type_="date")]


def _own(kind: Kind) -> list[Object]:
    ready = '.status.conditions[?(@.type=="Ready")].status'
    match kind.name:
        case "Function":
            return [
                _column("Ready", ready), _column("Replicas", ".status.replicas", type_="integer"),
                _column("Revision", ".status.revision", type_="integer"), _column("Code", ".status.code"),
                _column("URL", ".status.url"),
                _column("Reason", '.status.conditions[?(@.type=="Ready")].message', priority=1),
            ]  # fmt: skip
        case "Revision":
            return [_column("Number", ".spec.number", type_="integer"), _column("Language", ".spec.lang"),
                    _column("Image", ".spec.image")]  # fmt: skip
        case "Route":
            return [_column("Ready", ready), _column("Host", ".spec.host"), _column("Path", ".spec.path"),
                    _column("Functions", ".spec.targets[*].function")]  # fmt: skip
        case "Trigger":
            return [_column("Ready", ready), _column("Source", ".spec.source.kind"),
                    _column("Function", ".spec.function"),
                    _column("Paused", ".spec.paused", type_="boolean")]  # fmt: skip
        case "Budget":
            return [
                _column("Function", ".spec.function"), _column("Allowance", ".status.tightest"),
                _column("Used", ".status.used"), _column("Left", ".status.left"),
                _column("Percent", ".status.percent", type_="integer"), _column("State", ".status.state"),
                _column("Renews", ".status.renews", priority=1), _column("Ready", ready),
            ]  # fmt: skip
        case "Tenant":
            return [_column("Functions", ".spec.quota.functions", type_="integer"),
                    _column("Memory", ".spec.quota.memory"), _column("CPU", ".spec.quota.cpu")]  # fmt: skip
    return [_column("Ready", ready)]


def _column(name: str, path: str, *, type_: str = "string", priority: int = 0) -> Object:
    return {"name": name, "type": type_, "jsonPath": path} | ({"priority": priority} if priority else {})
