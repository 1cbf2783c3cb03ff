"""The platform's own pods: control plane, gateways, queue; and what any pod of ours prints, for people to look at."""

import contextlib
import time
from collections.abc import AsyncGenerator

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import POD, Object, name_of
from dayfly.cluster.refusals import NotAllowed
from dayfly.model.errors import DayflyError
from dayfly.model.machine import Container, PartLine
from dayfly.providers.kubernetes.output import split_time
from dayfly.providers.kubernetes.survey import created_unix_ms
from dayfly.providers.part_lines import part_line
from dayfly.providers.pod import lines

_OURS = "app.kubernetes.io/name=dayfly,app.kubernetes.io/instance={}"
_PHASES = {"Running": "running", "Pending": "starting", "Succeeded": "ended", "Failed": "failed"}


async def own_pods(connection: Connection, namespace: str) -> tuple[Container, ...]:
    """Return the pods of the installation in its own namespace; none where they may not be read."""
    if not namespace:
        return ()
    try:
        listed = await connection.list(POD, namespace, labels=_OURS.format(namespace))
    except NotAllowed:
        return ()
    return tuple(sorted((platform_pod(obj) for obj in listed.items), key=lambda pod: pod.name))


async def printed(
    connection: Connection, namespace: str, pod: str, *, tail: int, follow: bool
) -> AsyncGenerator[PartLine, None]:
    """Yield what a pod, which is ours, printed of late; where that cannot be read, why."""
    params = {"timestamps": "true"} | ({"follow": "true"} if follow else {})
    params |= {"tailLines": str(tail)} if tail >= 0 else {}
    try:
        async with contextlib.aclosing(connection.stream(POD.path(namespace, pod, "log"), params)) as found:
            async for line in found:
                yield _line(pod, line)
    except DayflyError as error:  # it has not begun, or is gone, or the API is
        yield PartLine(unix_ns=time.time_ns(), part=pod, level="warning", text=f"its log cannot be read: {error}")


def _line(pod: str, line: bytes) -> PartLine:
    unix_ns, text = split_time(line)
    match lines.parse(text.encode()):
        case lines.Printed() as said:  # an agent's word for what its function printed
            return PartLine(unix_ns=said.unix_ns, part=pod, level=said.stream, text=said.text, call_id=said.call_id)
    return part_line(unix_ns, pod, text)


def platform_pod(obj: Object) -> Container:
    """Return a pod of the platform as a person wants to see it."""
    meta, spec, status = obj["metadata"], obj.get("spec", {}), obj.get("status", {})
    is_ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))
    phase = _PHASES.get(status.get("phase", ""), "starting")
    return Container(
        id=meta.get("uid", ""),
        name=name_of(obj),
        image=next((each.get("image", "") for each in spec.get("containers", ())), ""),
        state="leaving"
        if meta.get("deletionTimestamp")
        else "starting"
        if phase == "running" and not is_ready
        else phase,
        node=spec.get("nodeName", ""),
        created_unix_ms=created_unix_ms(meta.get("creationTimestamp", "")),
    )
