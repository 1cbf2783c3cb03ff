"""The real program, driven as a user drives it: `dayfly …` as a process, HTTP by hand, and a look at what is left."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from tests.system.forks import can_fork, fork

from dayfly.cli.output import plain
from dayfly.client.blocking import Client
from dayfly.client.gateway import choose_target
from dayfly.server.commands import status

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
DEADLINE_S = 60.0
_COMMAND_S = 120.0


def program(*arguments: str) -> list[str]:
    """Return the command line of `dayfly` with these arguments."""
    return [str(Path(sys.executable).with_name("dayfly")), *arguments]


def eventually(what: str, is_true: Callable[[], object], *, deadline_s: float = DEADLINE_S) -> None:
    """Return once the condition is true; fail with `what` when that takes too long."""
    give_up = time.monotonic() + deadline_s
    while not is_true():
        assert time.monotonic() < give_up, f"{what}: not within {deadline_s:g} s"
        time.sleep(0.02)


def within_one_day(seconds: int = 120) -> None:
    """Return at once, or after midnight (UTC) if that is nearer than this: for what is counted by the day or month."""
    while time.time() % 86_400 > 86_400 - seconds:
        time.sleep(1)


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Platform:
    """One installation in a folder of its own, on free ports."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()) -> None:
        self.data_dir = data_dir
        self.output = ""
        self._prefix = prefix
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("DAYFLY_")}
        self._environ |= {"DAYFLY_DATA_DIR": str(data_dir), **(environ or {})}
        self._foreground: subprocess.Popen[str] | None = None

    def run(self, *arguments: str, stdin: str | bytes = b"", cwd: Path | None = None) -> "Done":
        """Run a `dayfly` command to its end."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        command = [*self._prefix, *program(*arguments)]
        if not self._prefix and can_fork(arguments[0], self._environ):
            code, out, err = fork(command, data, self._environ, cwd, _COMMAND_S)
            return Done(code, out.decode(), err.decode())
        done = subprocess.run(command, input=data, capture_output=True, env=self._environ, cwd=cwd, timeout=_COMMAND_S)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *arguments: str, stdin: str | bytes = b"", cwd: Path | None = None) -> str:
        """Run a `dayfly` command that has to succeed and return what it printed."""
        done = self.run(*arguments, stdin=stdin, cwd=cwd)
        assert done.code == 0, f"dayfly {' '.join(arguments)}: {done.code}\n{done.out}\n{done.err}\n{self.log()}"
        return done.out

    def start(self, *arguments: str, ports: bool = True) -> str:
        """Start detached and return what was printed; the platform serves then."""
        free = ("--port", "0", "--console-port", "0", "--metrics-port", "0") if ports else ()
        self.output = self.ok("start", "--detach", *free, *arguments)
        return self.output

    def start_foreground(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start in the foreground; the platform serves then."""
        process = self.begin(*arguments)
        eventually("the platform serves", lambda: self.status().get("gateway_url"))
        return process

    def begin(self, *arguments: str, output: int | None = None) -> "subprocess.Popen[str]":
        """Start in the foreground with the output in a file, or in `output`, which is closed; wait for nothing."""
        if output is None:
            output = os.open(self.data_dir.parent / "foreground.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        command = [*self._prefix, *program("start", "--port", "0", "--console-port", "0", "--metrics-port", "0")]
        self._foreground = subprocess.Popen(
            [*command, *arguments], env=self._environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True
        )
        os.close(output)
        return self._foreground

    def stop(self) -> None:
        """Stop it if it runs, by the command a user has."""
        if self.status().get("pid"):
            self.ok("stop")
        if self._foreground is not None:
            self._foreground.wait(DEADLINE_S)

    def status(self) -> dict[str, Any]:
        """Return what `dayfly status` says, without a process for it: tests ask often. Empty when nothing runs."""
        found: dict[str, Any] = msgspec.to_builtins(status(str(self.data_dir)))
        return found if found["pid"] else {}

    def pids(self, role: str) -> list[int]:
        """Return the processes that play this part."""
        return [process["pid"] for process in self.status()["processes"] if process["role"] == role]

    def is_whole(self) -> bool:
        """Whether a control plane answers and every gateway is with it.

        After one was killed the next answers first, and a gateway comes a moment later: what is told, or counted, in
        between does not get to the other yet.
        """
        token = (self.data_dir / "run" / "token").read_text()
        try:
            page = self.ask("GET", "/metrics", listener="metrics_url", headers={"Authorization": f"Bearer {token}"})
        except OSError:
            return False
        return f"dayfly_gateways{{}} {len(self.pids('gateway'))}\n" in page.body.decode()

    def login(self, password: str) -> None:
        """Log in by command; what it keeps stays beside the platform, and out of this account's home."""
        kept = {"XDG_CONFIG_HOME": str(self.data_dir.parent / "config")}
        login = program("login", "--password-stdin", "--gateway", self.status()["gateway_url"])
        subprocess.run(login, input=password, env=self._environ | kept, text=True, check=True, timeout=120)

    def describe(self, name: str) -> dict[str, Any]:
        """Return what `dayfly describe` says, without a process for it: tests ask often.

        A platform that another account runs is asked by a command of that account.
        """
        if self._prefix:
            told: dict[str, Any] = json.loads(self.ok("describe", name, "--output", "json"))
            return told
        target = choose_target(data_dir=str(self.data_dir), environ={})
        with Client(target=target, ca_file=self._environ.get("DAYFLY_CA_FILE", "")) as client:
            found: dict[str, Any] = plain(client.get_function(name))
        return found

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        listener: str = "gateway_url",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask a listener something."""
        connection = self.connect(listener)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def connect(self, listener: str = "gateway_url") -> http.client.HTTPConnection:
        """Return a connection to a listener that the caller closes."""
        host, port = re.fullmatch(r"http://(.*):(\d+)", self.status()[listener]).groups()  # type: ignore[union-attr] # a malformed URL is to fail the test
        return http.client.HTTPConnection(host, int(port), timeout=DEADLINE_S)

    def deploy_function(self, folder: Path, code: str, *options: str, requirements: str = "") -> None:
        """Deploy a function with this code under the folder's name."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "handler.py").write_text(code)
        if requirements:
            (folder / "requirements.txt").write_text(requirements)
        self.ok("deploy", folder.name, "--handler", str(folder), "--lang", "python", *options)

    def log(self) -> str:
        """Return what the platform logged."""
        places = (self.data_dir / "log" / "platform.log", self.data_dir.parent / "foreground.log")
        return "\n".join(place.read_text() for place in places if place.is_file())


class Done(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


def processes_that_know(text: str) -> list[str]:
    """Return the command lines of the processes whose command line or environment holds this text, but for ours."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            known = command + (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in known and int(folder.name) != os.getpid():
            found.append(f"{folder.name}: {command.decode(errors='replace')}")
    return found


def children_of(pid: int) -> set[int]:
    """Return all descendants of the process."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        try:
            born = {int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()}
        except OSError:
            continue
        found |= born
        waiting += born
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def born(pid: int) -> str:
    """Return when the process began, in the kernel's ticks; empty once it has ended. Another of its number differs."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] == "Z" else words[19]


def kill(pid: int) -> None:
    """Kill a process of ours."""
    os.kill(pid, signal.SIGKILL)
