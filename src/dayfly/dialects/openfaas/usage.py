"""What a function uses now, as `faas-cli describe` shows it.

Replicas tell what they have used since they began. What they use now is the difference between two looks, SPAN_S apart;
that is how much longer an answer takes that is asked for it.
"""

import asyncio
import time

from dayfly.api.services import Plane
from dayfly.dialects.openfaas.wire import FunctionUsage
from dayfly.model.status import FunctionStatus

SPAN_S = 0.2


async def usage_of(status: FunctionStatus, plane: Plane) -> FunctionUsage:
    """Return what the function uses; nothing without a replica. Raises NotFound when it has gone meanwhile."""
    if not status.replicas:
        return FunctionUsage(cpu=0, total_memory_bytes=0)
    began = time.monotonic()
    await asyncio.sleep(SPAN_S)
    later = await plane.status(status.spec.key)
    used_s = max(0.0, later.cpu_s - status.cpu_s)
    return FunctionUsage(
        cpu=round(1000 * used_s / (time.monotonic() - began), 3), total_memory_bytes=later.memory_bytes
    )
