"""What runs pods beside the double of the API: a scheduler and a kubelet with one node, for tests.

    with Double() as double, Kubelet(double, "dayfly-fn") as kubelet:
        …

Each pod's container is a process of this machine with a loopback address of the pod's own; folders that it mounts are
folders of a temporary one, put in place of the mounts' paths in its environment and its arguments. What it prints, how
it ends and its termination message are told as a kubelet tells them. `images` says which program an image stands for.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.cluster.resources import Object, Refused, at
from tests.cluster.server import Double

NODE = "node-1"
Process = subprocess.Popen[bytes]


@dataclass
class Run:
    """One life of one container."""

    identity: str
    lines: list[tuple[str, bytes]] = field(default_factory=list)
    """When each was printed, and what."""
    read_ns: int = 0
    """When the last of them was."""
    over: bool = False


@dataclass
class Place:
    """A pod on the node."""

    namespace: str
    name: str
    uid: str
    address: str
    folder: Path
    runs: list[Run] = field(default_factory=list)
    process: Process | None = None
    task: asyncio.Task[None] | None = None
    is_unheard: bool = False
    """Whether its node tells nothing of it any more, and does nothing that the API asks."""


class Kubelet:
    """Runs the pods of one namespace while it is entered."""

    def __init__(self, double: Double, namespace: str) -> None:
        self.namespace = namespace
        self.images: dict[str, list[str]] = {}
        self.unpullable: set[str] = set()
        self.room = True
        """Whether the scheduler finds a node."""
        self.is_away = False
        """Whether the node tells nothing any more, as one that has lost its network."""
        self.node = NODE
        """Where pods are put."""
        self.restarts = True
        """Whether a container that ended is started again where its pod wants it."""
        self._double = double
        self._registry = double.registry
        self._folder = Path(tempfile.mkdtemp(prefix="dayfly-node-"))
        self._folder.chmod(0o755)
        self._places: dict[str, Place] = {}
        self.said: dict[tuple[str, str], list[bytes]] = {}
        """What pods that are no process here have printed, by namespace and name."""
        self._net = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"  # noqa: S311 - so that two do not meet
        self._count = 1
        self._loop = asyncio.new_event_loop()
        self._woken = asyncio.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="kubelet double", daemon=True)

    def __enter__(self) -> Kubelet:
        self._double.create("nodes", "", {"metadata": {"name": NODE}})
        self._double.beside = self._answer
        self._registry.listeners.append(self._wake)
        self._thread.start()
        self._wake()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending = True
        self._wake()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the kubelet's double did not end"
        shutil.rmtree(self._folder)

    def pids(self) -> dict[str, int]:
        """Return the pods' first processes, by the pods' names."""
        return {each.name: each.process.pid for each in self._places.values() if each.process is not None}

    def volume(self, pod: str, name: str) -> Path:
        """Return the folder of this machine that is a volume of a pod's."""
        return next(each.folder for each in self._places.values() if each.name == pod) / name

    def lose(self, *, alive: bool = False) -> None:
        """Have the node die with all that is on it, or be cut off `alive`; pods to come are on another.

        Kubernetes then says that the pods are not ready, and leaves all else as it was told last.
        """
        self._between(lambda: self._lose(alive=alive))

    def evict(self, role: str = "") -> None:
        """Delete pods on the node that is not heard, all or those of a role, as Kubernetes does in the end."""
        self._between(lambda: self._evict(role))

    def come_back(self) -> None:
        """Have the node be there again: what was deleted meanwhile goes."""
        self._between(self._come_back)

    def look(self) -> None:
        """Have it look again, after a test has changed what it does."""
        self._wake()

    def _between(self, work: Callable[[], None]) -> None:
        """Do something between two steps of what the node does, never amid one."""
        done: concurrent.futures.Future[None] = concurrent.futures.Future()

        def do() -> None:
            try:
                work()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        self._loop.call_soon_threadsafe(do)
        done.result(30)

    def _lose(self, *, alive: bool) -> None:
        self.node = "node-2"
        for place in list(self._places.values()):
            place.is_unheard = True
            if not alive:
                _kill(place.process, signal.SIGKILL)
            pod = self._get(place)
            if pod is not None:
                self._change(pod, _not_ready, "status")

    def _evict(self, role: str) -> None:
        for pod in self._pods():
            place = self._places.get(pod["metadata"]["uid"])
            if (
                place is not None
                and place.is_unheard
                and role in ("", pod["metadata"]["labels"].get("dayfly.dev/role"))
            ):
                self._registry.delete(self._double.resource("pods"), self.namespace, place.name, {})

    def _come_back(self) -> None:
        for place in list(self._places.values()):
            if not place.is_unheard or not self._is_deleted(place):
                continue
            _kill(place.process, signal.SIGKILL)
            self._forget(place.name, place.uid)
            del self._places[place.uid]

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._woken.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._registry.listeners.remove(self._wake)
            self._loop.close()

    async def _work(self) -> None:
        while not self._ending:
            self._woken.clear()
            for pod in self._pods():
                self._sync(pod)
            await self._woken.wait()
        for place in self._places.values():
            _kill(place.process, signal.SIGKILL)
            if place.process is not None:
                place.process.wait()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _pods(self) -> list[Object]:
        return self._registry.all(self._double.resource("pods"), self.namespace)

    # -- the node ----------------------------------------------------------------------------------------------------

    def _sync(self, pod: Object) -> None:
        if not at(pod, "spec.nodeName"):
            self._schedule(pod)
        elif pod["metadata"]["uid"] not in self._places and "deletionTimestamp" not in pod["metadata"]:
            uid = pod["metadata"]["uid"]
            self._count += 1
            folder = self._folder / uid
            folder.mkdir()
            place = Place(self.namespace, pod["metadata"]["name"], uid, f"{self._net}.{self._count}", folder)
            self._places[uid] = place
            place.task = self._loop.create_task(self._live(place))
        elif "deletionTimestamp" in pod["metadata"] and pod["metadata"]["uid"] not in self._places:
            self._forget(pod["metadata"]["name"])

    def _schedule(self, pod: Object) -> None:
        if self.room and not at(pod, "spec.nodeSelector"):
            self._change(pod, lambda each: each["spec"].update(nodeName=self.node))
        elif not at(pod, "status.conditions"):
            why = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            self._change(
                pod, lambda each: each.update(status={"phase": "Pending", "conditions": [condition]}), "status"
            )

    async def _live(self, place: Place) -> None:
        """Run a pod to its end."""
        attempt = 0
        while (pod := self._get(place)) is not None and "deletionTimestamp" not in pod["metadata"]:
            container = pod["spec"]["containers"][0]
            if container["image"] in self.unpullable:
                self._tell(place, {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}})
                await self._until_deleted(place)
                break
            if (lacks := self._lacks(place, container)) is not None:
                self._tell(place, {"waiting": {"reason": "CreateContainerConfigError", "message": lacks}})
                await self._changed(1)
                continue
            status = await self._contain(place, pod, container, attempt)
            if place.is_unheard:
                return
            if status is None:
                break
            attempt += 1
            if pod["spec"].get("restartPolicy") == "Never" or not self.restarts:
                await self._until_deleted(place)
                break
            self._tell(place, {"waiting": {"reason": "CrashLoopBackOff"}}, last=status, restarts=attempt)
            await self._until_deleted(place, 0.2 * attempt)
        await self._deleted(place)

    async def _contain(self, place: Place, pod: Object, container: Object, attempt: int) -> Object | None:
        """Run a container once; return how it ended, None when its pod was deleted."""
        argv, env = self._described(place, pod, container)
        word = place.folder / "termination-log"
        word.write_bytes(b"")
        place.process = process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond, and this loop is a test's
            argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        run = Run(f"double://{place.uid}/{attempt}")
        place.runs.append(run)
        self._tell(place, {"running": {"startedAt": self._registry.stamp()}}, run=run, restarts=attempt)
        reading = self._loop.create_task(self._read(process, run, place.name))
        probing = self._loop.create_task(self._probe(place, container))
        ending = self._loop.create_task(self._end_when_deleted(place, process))
        code = await self._waited(process)
        probing.cancel()
        ending.cancel()
        with contextlib.suppress(TimeoutError):  # what it left running may hold the pipe open
            await asyncio.wait_for(asyncio.shield(reading), 1)
        reading.cancel()
        run.over = True
        self._double.wake()
        terminated = {
            "exitCode": code if code >= 0 else 128 - code, "message": word.read_text()[:4096],
            "reason": "Completed" if code == 0 else "Error",
        }  # fmt: skip
        self._tell(place, {"terminated": terminated}, run=run, restarts=attempt)
        place.process = None
        return None if self._is_deleted(place) else terminated

    def _described(self, place: Place, pod: Object, container: Object) -> tuple[list[str], dict[str, str]]:
        """Return the command and the environment of a container."""
        folders = {
            container.get("terminationMessagePath", "/dev/termination-log"): str(place.folder / "termination-log")
        }
        volumes = {each["name"]: each for each in pod["spec"].get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            folder = place.folder / mount["name"]
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
            if (named := at(volumes[mount["name"]], "secret.secretName")) is not None:
                secret = self._double.object("secrets", place.namespace, named) or {}
                for key, value in secret.get("data", {}).items():
                    (folder / key).write_bytes(base64.b64decode(value))
            if mount["mountPath"] != "/tmp":
                folders[mount["mountPath"]] = str(folder)

        def moved(text: str) -> str:
            for path, real in folders.items():
                text = real + text[len(path) :] if text == path or text.startswith(f"{path}/") else text
            return text

        env = {"PATH": os.defpath, "POD_IP": place.address, "HOSTNAME": place.name}
        for each in container.get("env", []):
            env[each["name"]] = moved(self._value(place, each))
        command = self.images.get(container["image"]) or [*container.get("command", []), *container.get("args", [])]
        return [sys.executable if word == "python" else moved(word) for word in command], env

    def _lacks(self, place: Place, container: Object) -> str | None:
        """Return what a container cannot be made without."""
        for each in container.get("env", []):
            name = at(each, "valueFrom.configMapKeyRef.name")
            if name is not None and self._double.object("configmaps", place.namespace, name) is None:
                return f'configmap "{name}" not found'
        return None

    def _value(self, place: Place, variable: Object) -> str:
        if (reference := at(variable, "valueFrom.configMapKeyRef")) is not None:
            found = self._double.object("configmaps", place.namespace, reference["name"]) or {"data": {}}
            return str(found["data"].get(reference["key"], ""))
        if at(variable, "valueFrom.fieldRef.fieldPath") == "status.podIP":
            return place.address
        return str(variable.get("value", ""))

    async def _waited(self, process: Process) -> int:
        """Return the exit code of a process when it has ended."""
        ended = asyncio.Event()
        pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
        return process.wait()

    async def _read(self, process: Process, run: Run, pod: str) -> None:
        reader = asyncio.StreamReader(1 << 22)
        transport, _ = await self._loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
        with contextlib.closing(transport):
            rest = b""
            while data := await reader.read(1 << 16):
                *whole, rest = (rest + data).split(b"\n")
                self._printed(run, pod, [line + b"\n" for line in whole])
            if rest:
                self._printed(run, pod, [rest])

    def _printed(self, run: Run, pod: str, lines: list[bytes]) -> None:
        """Keep lines, each with a time of its own, and tell who follows them once: a flood is not one of tellings."""
        for line in lines:
            run.read_ns = max(time.time_ns(), run.read_ns + 1)
            run.lines.append((_stamp(run.read_ns), line))
        self._double.wake(f"{pod}/log")

    async def _probe(self, place: Place, container: Object) -> None:
        """Ask whether the container is ready, and tell when that changes."""
        probe = at(container, "readinessProbe.httpGet")
        was = False
        while True:
            ready = probe is None or await _answers(place.address, probe["port"], probe["path"])
            if ready != was:
                was = ready
                self._tell_ready(place, ready=ready)
            await asyncio.sleep(0.02 if not ready else 1)

    # -- endings -----------------------------------------------------------------------------------------------------

    async def _end_when_deleted(self, place: Place, process: Process) -> None:
        await self._until_deleted(place)
        while place.is_unheard:
            await self._changed(3600)
        _kill(process, signal.SIGTERM)
        began = time.monotonic()
        while (pod := self._get(place)) is not None:
            left = began + pod["metadata"].get("deletionGracePeriodSeconds", 0) - time.monotonic()
            if left <= 0:
                break
            await self._changed(left)
        _kill(process, signal.SIGKILL)

    async def _until_deleted(self, place: Place, most_s: float = 3600) -> None:
        until = time.monotonic() + most_s
        while not self._is_deleted(place) and time.monotonic() < until:
            await self._changed(until - time.monotonic())

    async def _changed(self, most_s: float) -> None:
        """Return at the next change, or after so long."""
        changed = asyncio.Event()

        def look() -> None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(changed.set)

        self._registry.listeners.append(look)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(most_s):
                    await changed.wait()
        finally:
            self._registry.listeners.remove(look)

    async def _deleted(self, place: Place) -> None:
        self._forget(place.name, place.uid)
        del self._places[place.uid]

    def _forget(self, name: str, uid: str = "") -> None:
        with contextlib.suppress(Refused):
            options = {"gracePeriodSeconds": 0} | ({"preconditions": {"uid": uid}} if uid else {})
            self._registry.delete(self._double.resource("pods"), self.namespace, name, options)

    # -- what is told ------------------------------------------------------------------------------------------------

    def _get(self, place: Place) -> Object | None:
        found = self._double.object("pods", place.namespace, place.name)
        return found if found is not None and found["metadata"]["uid"] == place.uid else None

    def _is_deleted(self, place: Place) -> bool:
        pod = self._get(place)
        return pod is None or "deletionTimestamp" in pod["metadata"]

    def _tell(
        self, place: Place, state: Object, *, run: Run | None = None, last: Object | None = None, restarts: int = 0
    ) -> None:
        status = {
            "name": "function", "state": state, "restartCount": restarts,
            "containerID": run.identity if run is not None else "",
            "lastState": {"terminated": last} if last is not None else {},
        }  # fmt: skip
        if last is None and restarts:
            before = at(self._get(place), "status.containerStatuses") or [{}]
            status["lastState"] = before[0].get("lastState", {})
        over = "terminated" in state and at(self._get(place), "spec.restartPolicy") == "Never"
        phase = "Running" if not over else "Succeeded" if state["terminated"]["exitCode"] == 0 else "Failed"
        if "waiting" in state and last is None:
            phase = "Pending"
        whole = {
            "phase": phase, "podIP": place.address, "containerStatuses": [status],
            "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}],
        }  # fmt: skip
        self._set(place, whole)

    def _tell_ready(self, place: Place, *, ready: bool) -> None:
        status = dict(at(self._get(place), "status") or {})
        status["conditions"] = [
            {"type": "PodScheduled", "status": "True"},
            *({"type": kind, "status": "True" if ready else "False"} for kind in ("ContainersReady", "Ready")),
        ]
        self._set(place, status)

    def _set(self, place: Place, status: Object) -> None:
        pod = self._get(place)
        if pod is not None and not self.is_away and not place.is_unheard:
            self._change(pod, lambda each: each.update(status=status), "status")

    def _change(self, pod: Object, change: Any, sub: str = "") -> None:
        with self._registry.lock, contextlib.suppress(Refused):
            resource = self._double.resource("pods")
            fresh = self._registry.get(resource, self.namespace, pod["metadata"]["name"])
            change(fresh)
            self._registry.update(resource, self.namespace, fresh, sub)

    # -- what the API server asks the kubelet ------------------------------------------------------------------------

    def _answer(self, path: str, params: dict[str, str]) -> Any:
        """Return the pieces of an answer to a question that the API server passes on; None when it is no such."""
        parts = path.strip("/").split("/")
        if parts[-1:] == ["log"] and parts[-3] == "pods":
            if (said := self.said.get((parts[-4], parts[-2]))) is not None:
                return _pieces(said[-int(params.get("tailLines", len(said))) :])
            return self._log(parts[-2], params)
        if parts[2:3] == ["nodes"] and parts[-2:] == ["metrics", "resource"]:
            return self._metrics()
        return None

    async def _log(self, name: str, params: dict[str, str]) -> Any:
        place = next((each for each in self._places.values() if each.name == name), None)
        if place is None:
            raise Refused(404, "NotFound", f'pods "{name}" not found', name=name, kind="pods")
        if not place.runs:
            raise Refused(400, "BadRequest", f'container "function" in pod "{name}" is waiting to start')
        run = place.runs[-1]
        position = max(0, len(run.lines) - int(params.get("tailLines", len(run.lines))))
        left = int(params.get("limitBytes", 1 << 40))
        since = params.get("sinceTime", "")
        with self._double.waking(f"{name}/log") as woken:
            while True:
                woken.clear()
                over = run.over
                lines = run.lines[position:]
                position += len(lines)
                data = b"".join(
                    (f"{stamp} ".encode() if params.get("timestamps") == "true" else b"") + line
                    for stamp, line in lines
                    if stamp[:19] >= since[:19]
                )[:left]
                left -= len(data)
                if data:
                    yield data
                if over or params.get("follow") != "true" or left <= 0 or self._double.away:
                    return
                await woken.wait()

    async def _metrics(self) -> Any:
        for place in self._places.values():
            if place.process is None:
                continue
            cpu, memory = _used_by(place.process.pid)
            labels = f'container="function",namespace="{place.namespace}",pod="{place.name}"'
            yield f"container_cpu_usage_seconds_total{{{labels}}} {cpu} 1\n".encode()
            yield f"container_memory_working_set_bytes{{{labels}}} {memory} 1\n".encode()


async def _pieces(lines: list[bytes]) -> Any:
    for line in lines:
        yield line


def _stamp(unix_ns: int) -> str:
    second = datetime.fromtimestamp(unix_ns // 10**9, UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{unix_ns % 10**9:09d}Z"


def _not_ready(pod: Object) -> None:
    for condition in at(pod, "status.conditions") or []:
        if condition["type"] == "Ready":
            condition["status"] = "False"


def _used_by(pid: int) -> tuple[float, int]:
    """Return processor time in seconds and resident bytes of a process; zeros when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return cpu, int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


def _kill(process: Process | None, number: int) -> None:
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)


async def _answers(host: str, port: int, path: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readline()).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
    finally:
        writer.close()
