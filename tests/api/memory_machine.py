"""A machine on which nothing of the platform runs, but for one part that has said something."""

from collections.abc import AsyncGenerator

from dayfly.model.errors import NotFound
from dayfly.model.machine import CpuUsage, DiskUsage, Machine, MachineUsage, MemoryUsage, NetworkUsage, Node, PartLine


class MemoryMachine:
    """Looks always the same."""

    def usage(self) -> MachineUsage:
        return MachineUsage(
            at_unix_ms=1, boot="boot", cpu=CpuUsage(cores=2, seconds={"idle": 1.0}),
            disk=DiskUsage(path="/", total=2, used=1, available=1),
            memory=MemoryUsage(total=2, used=1, available=1), network=NetworkUsage(received=0, sent=0),
        )  # fmt: skip

    async def look(self) -> Machine:
        return Machine(kind="machine", usage=self.usage(), nodes=(Node(name="here", cores=2),))

    async def log(self, name: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        if name != "control":
            raise NotFound(f"there is no container {name}")
        return self._lines(tail, follow=follow)

    async def _lines(self, tail: int, *, follow: bool) -> AsyncGenerator[PartLine, None]:
        said = [PartLine(unix_ns=number, part="control", level="info", text=f"line {number}") for number in range(3)]
        for line in said[-tail:] if tail >= 0 else said:
            yield line
        if follow:
            yield PartLine(unix_ns=9, part="control", level="warning", text="new", call_id="c")
