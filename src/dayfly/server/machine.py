"""The machine or cluster as the platform sees it: what it has, what it uses, and what of ours runs there."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

import msgspec

from dayfly.model.errors import NotFound, Unavailable
from dayfly.model.machine import (
    Image,
    Machine,
    MachineReplica,
    MachineUsage,
    Node,
    PartLine,
    Process,
    Surroundings,
)
from dayfly.model.names import NamespaceName
from dayfly.model.status import FunctionStatus
from dayfly.observe.machine import MachineFigures
from dayfly.providers.port import Provider
from dayfly.server.parts_reading import PartsReader
from dayfly.server.tree import ProcessStatus, processes_of

_HINT = "`dayfly machine` tells what there is: processes by their LOG, containers and pods by their names"


class Functions(Protocol):
    """Who knows the functions."""

    async def statuses(self, namespace: NamespaceName) -> list[FunctionStatus]:
        """Return the namespace's functions."""
        ...


class Namespaces(Protocol):
    """Who knows the namespaces."""

    def names(self) -> list[NamespaceName]:
        """Return the names of all of them."""
        ...


class MachineView:
    """Looks at all of it whenever it is asked. In a cluster the processes are those of the control plane's own pod."""

    def __init__(
        self,
        figures: MachineFigures,
        provider: Provider,
        functions: Functions,
        namespaces: Namespaces,
        logs: PartsReader,
    ) -> None:
        self._figures = figures
        self._provider = provider
        self._functions = functions
        self._namespaces = namespaces
        self._logs = logs
        self._is_cluster = provider.name == "kubernetes"

    def usage(self) -> MachineUsage:
        """Return what the machine uses now. Raises OSError where the kernel tells nothing."""
        return self._figures.look()

    async def look(self) -> Machine:
        """Return what there is now. Raises OSError where the kernel tells nothing."""
        usage = self.usage()
        statuses = [
            status for namespace in self._namespaces.names() for status in await self._functions.statuses(namespace)
        ]
        try:
            around = await self._provider.survey()
        except Unavailable as error:
            around = Surroundings(notes=(f"{self._provider.name}: {error.message}",))
        processes = named(await asyncio.to_thread(self._processes), around.pids, statuses)
        memory = usage.memory.total
        nodes = around.nodes or (Node(name=os.uname().nodename, cores=float(usage.cpu.cores), memory_bytes=memory),)
        return Machine(
            kind="cluster" if self._is_cluster else "machine",
            usage=usage,
            nodes=nodes,
            processes=processes,
            replicas=replicas(statuses, around),
            containers=around.containers,
            images=images(statuses, around),
            notes=around.notes,
        )

    async def log(self, name: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        """Return what a process, a container or a pod of the platform has said, and says while it is followed.

        Processes are meant by the names that the log has for them. Raises NotFound, Unavailable.
        """
        if not self._is_cluster:  # there it is the pod's
            running = {each.log for each in await asyncio.to_thread(self._processes)} - {""}
            if name in running or await asyncio.to_thread(self._logs.has, name):
                return self._logs.lines(name, tail=tail, follow=follow)
        try:
            return await self._provider.container_log(name, tail=tail, follow=follow)
        except NotFound:
            raise NotFound(f"nothing of the platform is called {name[:80]}", hint=_HINT) from None
        except Unavailable as error:
            if self._is_cluster:
                raise
            why = f"no process is called {name[:80]}, and whether a container is cannot be told: {error.message}"
            raise NotFound(why, hint=_HINT) from error

    def _processes(self) -> Sequence[ProcessStatus]:
        found = processes_of(os.getpid() if self._is_cluster else os.getppid())
        return [msgspec.structs.replace(each, log="") for each in found] if self._is_cluster else found


def named(
    found: Sequence[ProcessStatus], pids: Mapping[str, int], statuses: Sequence[FunctionStatus]
) -> tuple[Process, ...]:
    """Return the processes with what is known of whose they are: of a replica, with all that it started."""
    owners = {
        replica.id: (str(status.spec.key), replica.revision) for status in statuses for replica in status.replicas
    }
    by_pid = {pid: replica for replica, pid in pids.items()}
    whose: dict[int, str] = {}
    processes = []
    for each in found:  # parents come before their children
        replica = by_pid.get(each.pid) or whose.get(each.parent, "")
        if replica:
            whose[each.pid] = replica
        function, revision = owners.get(replica, ("", 0))
        processes.append(
            Process(
                pid=each.pid,
                parent=each.parent,
                role="function" if replica else "template" if each.role == "function" else each.role,
                name=each.name,
                function=function,
                revision=revision,
                replica=replica,
                cpu_s=each.cpu_s,
                memory_bytes=each.memory_bytes,
                started_unix_ms=each.started_unix_ms,
                log="" if replica else each.log,
            )
        )
    return tuple(processes)


def replicas(statuses: Sequence[FunctionStatus], around: Surroundings) -> tuple[MachineReplica, ...]:
    """Return every replica, and where it is."""
    nodes = {each.replica: each.node for each in around.containers if each.replica}
    return tuple(
        MachineReplica(
            id=replica.id,
            function=status.spec.name,
            namespace=status.spec.namespace,
            revision=replica.revision,
            phase=replica.phase,
            runtime=status.spec.runtime,
            image=(status.pinned_image or status.spec.image) if status.spec.runtime == "image" else "",
            cpu_s=replica.cpu_s,
            memory_bytes=replica.memory_bytes,
            started_unix_ms=replica.started_unix_ms,
            node=nodes.get(replica.id, ""),
        )
        for status in statuses
        for replica in status.replicas
    )


def images(statuses: Sequence[FunctionStatus], around: Surroundings) -> tuple[Image, ...]:
    """Return the images that functions use, and those that are there and have a name."""
    users: dict[str, list[str]] = {}
    for status in statuses:
        if status.spec.runtime == "image":
            pinned = status.pinned_image or status.spec.image
            users.setdefault(around.image_names.get(pinned, pinned), []).append(str(status.spec.key))
    named = {name for name in around.images if not name.startswith("sha256:")}
    return tuple(
        Image(name=name, functions=tuple(users.get(name, ())), size_bytes=around.images.get(name))
        for name in sorted({*users, *named})
    )
