"""A machine on which nothing of the platform runs."""

from dayfly.model.machine import CpuUsage, Machine, MachineUsage, MemoryUsage, NetworkUsage, Node


class MemoryMachine:
    """Looks always the same."""

    async def look(self) -> Machine:
        usage = MachineUsage(
            at_unix_ms=1, boot="boot", cpu=CpuUsage(cores=2, seconds={"idle": 1.0}), disk=None,
            memory=MemoryUsage(total=2, used=1, available=1), network=NetworkUsage(received=0, sent=0),
        )  # fmt: skip
        return Machine(kind="machine", usage=usage, nodes=(Node(name="here", cores=2),))
