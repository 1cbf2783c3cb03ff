"""A Dayfly of the run's own: `dayfly start` on a fresh data folder and free ports, driven through the public client.

It is started as a user starts it, with default settings but for the ports and the folder; what is measured is the
product and not an arrangement of its parts. `max` replicas are pinned to one where a ratio is about one replica.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.book import Lab
from bench.programs import Program, ProgramFailed, free_port, until
from dayfly.client import Client, Credential, pack
from dayfly.client.local import find_instance
from dayfly.model.errors import DayflyError
from dayfly.model.function import FunctionSpec
from dayfly.model.status import FunctionStatus

FUNCTIONS = Path(__file__).parent / "functions"
ONE_REPLICA = {"com.openfaas.scale.min": "1", "com.openfaas.scale.max": "1"}
_READY_S = 30.0


class Dayfly:
    """One platform. `start` and `stop` it as often as needed on the same data folder, or use it in a `with` block."""

    def __init__(self, lab: Lab, data_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._lab = lab
        self._environ = {**lab.environ, **(settings or {})}
        self.data_dir = data_dir or lab.folder("dayfly")
        # Replicas run as another user when the platform is root's, and must be able to reach their code.
        self.data_dir.parent.chmod(0o711)
        self.port, self._console_port = free_port(), free_port()
        self._program: Program | None = None
        self._client: Client | None = None

    def __enter__(self) -> "Dayfly":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def client(self) -> Client:
        """The client of the platform that runs."""
        if self._client is None:
            raise ProgramFailed("dayfly is not running")
        return self._client

    @property
    def pid(self) -> int:
        """The supervisor's process id; every other process descends from it."""
        if self._program is None:
            raise ProgramFailed("dayfly is not running")
        return self._program.pid

    def start(self, under: Sequence[str] = ()) -> float:
        """Start it and return once it is ready; gives the seconds that took. Raises ProgramFailed.

        `under` is a program to run it with, a profiler for example, and that program's arguments.
        """
        before = time.perf_counter()
        ports = {"--port": self.port, "--console-port": self._console_port, "--metrics-port": free_port()}
        command = [*under, self._lab.tools.need("dayfly"), "start", "--data-dir", str(self.data_dir)]
        for option, port in ports.items():
            command += [option, str(port)]
        log = self.data_dir.parent / "dayfly.log"
        self._program = Program("dayfly start", command, log=log, environ=self._environ, cwd=self.data_dir.parent)
        try:
            self._wait_until_ready(self._program)
        except BaseException:
            self.stop()
            raise
        return time.perf_counter() - before

    def stop(self) -> None:
        """Stop it. Idempotent."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._program is not None:
            self._program.stop()
            self._program = None

    def remove_data(self) -> None:
        """Delete the data folder of a platform that was stopped."""
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def deploy(self, name: str, source: str, labels: Mapping[str, str] | None = None, *, ready: bool = True) -> None:
        """Deploy one of our functions under this name. Raises DayflyError, ProgramFailed when it does not get ready."""
        receipt = self.client.upload(pack(FUNCTIONS / source))
        self.client.deploy(FunctionSpec(name=name, bundle=receipt.digest, labels=dict(labels or {})))
        if ready:
            self.wait_for(name, 1)

    def wait_for(self, name: str, replicas: int, timeout_s: float = 180) -> FunctionStatus:
        """Return the function's status once this many replicas are ready and no other exists. Raises ProgramFailed."""
        status = self.client.get_function(name)
        for _ in until(timeout_s, 0.02):
            if status.ready_replicas == replicas == len(status.replicas):
                return status
            if status.state == "failing":
                raise ProgramFailed(f"function {name} is failing: {status.reason[-600:]}")
            status = self.client.get_function(name)
        raise ProgramFailed(f"function {name} has {status.ready_replicas} ready replicas, not {replicas}")

    def put_to_sleep(self, names: Iterable[str]) -> None:
        """Scale these functions to zero and return once their replicas are gone. Raises DayflyError, ProgramFailed."""
        names = list(names)
        for name in names:
            self.client.scale(name, 0)
        for name in names:
            self.wait_for(name, 0)

    def replica_socket(self, name: str) -> Path:
        """Return the unix socket of the function's only replica. Raises ProgramFailed."""
        replica = self.wait_for(name, 1).replicas[0].id
        for found in self._run_dir().glob(f"**/{replica}*.sock"):
            return found
        raise ProgramFailed(f"no socket of replica {replica} below {self._run_dir()}")

    def url(self, path: str) -> str:
        """Return the gateway's URL of `path`."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def console_url(self) -> str:
        """The page's URL."""
        return f"http://127.0.0.1:{self._console_port}/"

    def _run_dir(self) -> Path:
        named = self.data_dir / "run.path"
        return Path(os.fsdecode(named.read_bytes().strip())) if named.exists() else self.data_dir / "run"

    def _wait_until_ready(self, program: Program) -> None:
        for _ in until(_READY_S, 0.005):
            program.check()
            instance = find_instance(str(self.data_dir))
            if instance is None:
                continue
            if self._client is None:
                self._client = Client(instance.gateway_url, credential=Credential.bearer(instance.token))
            with contextlib.suppress(DayflyError):
                if self._client.health():
                    return
        raise ProgramFailed(f"dayfly start is not ready after {_READY_S:g} s: {program.tail()}")
