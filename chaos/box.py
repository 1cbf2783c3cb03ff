"""One real platform in a folder of its own: started as a user starts it, looked at from outside, and swept in the end.

What it is asked goes through the commands and the public client. Which processes it has is read from the kernel, not
from its own word, so that it can be told while the platform is half dead.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from chaos import processes
from chaos.processes import eventually
from dayfly.client import Client, Credential, pack
from dayfly.client.local import find_instance
from dayfly.model.errors import DayflyError
from dayfly.model.function import FunctionSpec
from dayfly.model.status import FunctionStatus

FUNCTIONS = Path(__file__).parent / "functions"
COMMAND_S = 180.0
_SHORT_S = 60.0


class Done(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


class BoxBroken(Exception):
    """The platform does not do what every scenario needs; the text says what."""


class Box:
    """A platform on `data_dir` and free ports. Use it in a `with` block, which ends with everything dead.

    `prefix` is a program to run each `dayfly` command under, with that program's arguments; `environ` is added to the
    environment of this process, from which Dayfly's own variables are taken away.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        gateways: int = 1,
        environ: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.data_dir = data_dir
        self.gateways = gateways
        self.cgroups: set[Path] = set()
        """Cgroups that processes of the platform were ever seen in, without our own."""
        self._prefix = prefix
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("DAYFLY_")}
        self._environ |= {"DAYFLY_DATA_DIR": str(data_dir), **(environ or {})}
        self._client: Client | None = None
        self._ports: tuple[int, ...] = (0, 0, 0)
        self._about: dict[str, Any] = {}

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, *_: object) -> None:
        self.sweep()

    # -- starting and stopping ---------------------------------------------------------------------------------------

    def run(self, *arguments: str, timeout_s: float = COMMAND_S) -> Done:
        """Run a `dayfly` command to its end."""
        command = [*self._prefix, str(Path(sys.executable).with_name("dayfly")), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environ, timeout=timeout_s)
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> float:
        """Start it detached; return the seconds until it served. A later start takes the ports of the first.

        Raises BoxBroken when it does not start.
        """
        began = time.monotonic()
        names = ("--port", "--console-port", "--metrics-port")
        ports = [word for name, port in zip(names, self._ports, strict=True) for word in (name, str(port))]
        done = self.run("start", "--detach", *ports, "--gateways", str(self.gateways), *arguments)
        if done.code:
            raise BoxBroken(f"dayfly start ended with {done.code}: {done.err.strip()[-400:]}\n{self.log()[-2000:]}")
        took_s = time.monotonic() - began
        self._learn()
        return took_s

    def start_foreground(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start it as a child of ours, on ports of its own, and return at once; `wait_served` says when it serves."""
        self._close_client()
        command = [*self._prefix, str(Path(sys.executable).with_name("dayfly")), "start"]
        command += ["--port", "0", "--console-port", "0", "--metrics-port", "0", "--gateways", str(self.gateways)]
        with (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *arguments], env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_served(self) -> None:
        """Return once a platform that was started in the foreground serves. Raises BoxBroken."""
        if not eventually((self.run_dir / "instance.json").exists, _SHORT_S):
            raise BoxBroken(f"dayfly start does not serve after {_SHORT_S:g} s")
        self._learn()

    def _learn(self) -> None:
        self._about = json.loads((self.run_dir / "instance.json").read_bytes())
        urls = (self._about[name] for name in ("gateway_url", "console_url", "metrics_url"))
        self._ports = tuple(urlsplit(url).port or 0 for url in urls)
        self._open_client()

    def stop(self) -> float:
        """Stop it by the command; return the seconds that took. Raises BoxBroken."""
        self._close_client()
        began = time.monotonic()
        done = self.run("stop")
        if done.code:
            raise BoxBroken(f"dayfly stop ended with {done.code}: {done.err.strip()[-400:]}")
        return time.monotonic() - began

    def sweep(self) -> None:
        """Kill whatever of it still runs."""
        self._close_client()
        for _ in range(50):
            left = processes.known_by(str(self.data_dir))
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.02)

    # -- asking it ---------------------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the public listener, the same over all starts."""
        return "127.0.0.1", self._ports[0]

    def url(self, which: str = "gateway_url") -> str:
        """Return `gateway_url`, `console_url` or `metrics_url`."""
        return str(self._about[which])

    @property
    def client(self) -> Client:
        """The administrator's client of the platform that was started last."""
        if self._client is None:
            raise BoxBroken("the platform was not started")
        return self._client

    @property
    def is_served(self) -> bool:
        """Whether gateway and control plane both answer."""
        try:
            return self.client.health()
        except DayflyError:
            return False

    def status(self, name: str) -> FunctionStatus | None:
        """Return a function's status, or None when there is none or the platform cannot tell."""
        try:
            return self.client.get_function(name)
        except DayflyError:
            return None

    def deploy(self, name: str, source: str | Path = "echo", *, replicas: int = 1, **spec: Any) -> FunctionStatus:
        """Deploy a function of ours, or the folder given, with a fixed number of replicas unless `labels` say other.

        `spec` is fields of FunctionSpec. Waits for the replicas; raises DayflyError, BoxBroken when none gets ready.
        """
        folder = source if isinstance(source, Path) else FUNCTIONS / source
        receipt = self.client.upload(pack(folder))
        labels = spec.pop("labels", {"com.openfaas.scale.min": str(replicas), "com.openfaas.scale.max": str(replicas)})
        self.client.deploy(FunctionSpec(name=name, bundle=receipt.digest, labels=labels, **spec))
        return self.wait_ready(name, replicas)

    def wait_ready(self, name: str, replicas: int, timeout_s: float = 60.0) -> FunctionStatus:
        """Return the function's status once it has exactly so many ready replicas and no others. Raises BoxBroken."""
        seen: list[FunctionStatus | None] = [None]

        def is_there() -> bool:
            seen[0] = status = self.status(name)
            return status is not None and status.ready_replicas == replicas == len(status.replicas)

        if not eventually(is_there, timeout_s):
            raise BoxBroken(f"{name} has not {replicas} ready replicas after {timeout_s:g} s: {seen[0]}")
        assert seen[0] is not None
        return seen[0]

    # -- looking at it -----------------------------------------------------------------------------------------------

    @property
    def run_dir(self) -> Path:
        """The folder of its sockets."""
        with contextlib.suppress(OSError):
            return Path(os.fsdecode((self.data_dir / "run.path").read_bytes().strip()))
        return self.data_dir / "run"

    @property
    def supervisor(self) -> int:
        """The supervisor's process id, 0 when none runs."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.data_dir / "lock").read_text())
            return pid if processes.role_of(pid) == "supervisor" and processes.alive(pid) else 0
        return 0

    def roles(self) -> dict[int, str]:
        """Return its living processes by what they do: supervisor, zygote, control, gateway, template, replica."""
        roles = processes.roles_below(self.supervisor) if self.supervisor else {}
        ours = processes.cgroups_of(os.getpid())
        for pid in roles:
            self.cgroups |= processes.cgroups_of(pid) - ours
        return {pid: role for pid, role in roles.items() if processes.alive(pid)}

    def pids(self, role: str) -> list[int]:
        """Return the processes with this role, oldest first."""
        return sorted(pid for pid, each in self.roles().items() if each == role)

    def everything(self) -> dict[int, str]:
        """Return all living processes that have to do with it, whoever their parent is, with their command lines."""
        return processes.known_by(str(self.data_dir))

    def query(self, sql: str, *values: object, file: str = "state.db") -> list[tuple[Any, ...]]:
        """Read from one of its SQLite files, opened anew and for reading alone."""
        connection = sqlite3.connect(f"file:{self.data_dir / file}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def log(self) -> str:
        """Return what the platform logged."""
        path = self.data_dir / "log" / "platform.log"
        return path.read_text(errors="replace") if path.is_file() else ""

    def _open_client(self) -> None:
        self._close_client()
        instance = find_instance(str(self.data_dir))
        if instance is None:
            raise BoxBroken("the platform started and cannot be found")
        credential = Credential.bearer(instance.token)
        self._client = Client(instance.gateway_url, credential=credential, timeout_s=_SHORT_S)

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
