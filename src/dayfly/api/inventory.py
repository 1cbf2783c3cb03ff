"""What is there now, as rows for queries: functions, revisions, replicas, triggers, in the namespaces given.

Environments, annotations, secrets' names and what triggers connect to are left out: what a table has, every query over
it can tell, and every saved answer keeps.
"""

import datetime
from collections.abc import Iterable

import msgspec

from dayfly.api.services import Services
from dayfly.model.function import FunctionSpec
from dayfly.model.names import NamespaceName
from dayfly.model.status import FunctionStatus
from dayfly.model.trigger import TriggerStatus

_ASK_PLANE = {"functions", "revisions", "replicas"}
Rows = list[list[object]]


async def inventory(
    services: Services, tables: frozenset[str], namespaces: Iterable[NamespaceName]
) -> dict[str, Rows]:  # fmt: skip
    """Return the rows of those of the tables that are in no file, in the order of their columns."""
    found: dict[str, Rows] = {}
    for namespace in namespaces:
        statuses = await services.plane.statuses(namespace) if tables & _ASK_PLANE else []
        for status in statuses:
            if "functions" in tables:
                found.setdefault("functions", []).append(_function(status))
            if "replicas" in tables:
                found.setdefault("replicas", []).extend(_replicas(status))
            if "revisions" in tables:
                found.setdefault("revisions", []).extend(await _revisions(services, status))
        if "triggers" in tables:
            triggers = services.triggers.in_namespace(namespace)
            found.setdefault("triggers", []).extend(_trigger(each) for each in triggers)
    return found


def _function(status: FunctionStatus) -> list[object]:
    spec = status.spec
    return [
        spec.namespace, spec.name, status.state, status.reason, status.revision, spec.runtime, spec.lang, spec.image,
        status.desired_replicas, status.ready_replicas, status.invocations, status.cpu_s, status.memory_bytes,
        spec.timeout_s, spec.memory_bytes, msgspec.json.encode(spec.labels).decode(),
        _time(status.created_unix_ms), _time(status.updated_unix_ms), status.created_unix_ms, status.updated_unix_ms,
    ]  # fmt: skip


def _replicas(status: FunctionStatus) -> Rows:
    return [
        [
            status.spec.namespace, status.spec.name, each.id, each.phase, each.revision, each.cpu_s, each.memory_bytes,
            _time(each.started_unix_ms), each.started_unix_ms,
        ]
        for each in status.replicas
    ]  # fmt: skip


async def _revisions(services: Services, status: FunctionStatus) -> Rows:
    return [
        [
            status.spec.namespace, status.spec.name, each.number, each.role, *_made_of(each.spec),
            _time(each.created_unix_ms), each.created_unix_ms,
        ]
        for each in await services.plane.revisions(status.spec.key)
    ]  # fmt: skip


def _made_of(spec: FunctionSpec) -> list[object]:
    return [spec.runtime, spec.lang, spec.image, spec.timeout_s, spec.memory_bytes]


def _trigger(trigger: TriggerStatus) -> list[object]:
    spec, standing = trigger.spec, trigger.standing
    kind = msgspec.to_builtins(spec.source)["kind"]
    return [
        spec.namespace, spec.name, kind, spec.function, spec.flow, int(spec.paused), standing.state, standing.trouble,
        standing.delivered, standing.filtered, standing.failed, _time(standing.last_unix_ms),
        _time(trigger.created_unix_ms), trigger.created_unix_ms,
    ]  # fmt: skip


def _time(unix_ms: int) -> str | None:
    """Return the time as the other tables have it; None for none."""
    if not unix_ms:
        return None
    moment = datetime.datetime.fromtimestamp(unix_ms / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{unix_ms % 1000:03d}"
