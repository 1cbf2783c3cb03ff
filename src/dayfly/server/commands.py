"""`dayfly start`, `stop` and `status`: what the command line calls when it is about this machine's own platform.

`start` does everything that can be refused (settings, folders, lock, ports) while somebody watches, and then becomes
the supervisor, which is small, or with `detach` starts it and waits until it serves.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from dayfly.model.errors import ConfigError, InternalError, Unavailable
from dayfly.queue.binary import find_server
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.python import cells
from dayfly.server.changeover import SIGNALS
from dayfly.server.folders import find_run_dir, prepare_data_dir, prepare_run_dir
from dayfly.server.lock import holder, take_lock, wait_released
from dayfly.server.ports import open_listeners
from dayfly.server.sandbox import settle
from dayfly.server.settings import Settings, StartOptions, data_dir
from dayfly.server.traces import write_private
from dayfly.server.tree import ProcessStatus, processes_of
from dayfly.server.wiring import make_place, make_plan, plan_file, settings_file
from dayfly.storage.medium import disk_failed
from dayfly.storage.migrations import newest

STOP_TIMEOUT_S = 120.0


class InstanceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What runs on a data folder; `pid` is 0 when nothing does, and the URLs are empty until it serves."""

    data_dir: str
    pid: int = 0
    version: str = ""
    gateway_url: str = ""
    console_url: str = ""
    metrics_url: str = ""
    processes: tuple[ProcessStatus, ...] = ()


def start(options: StartOptions, *, say: Callable[[str], None] = print) -> int:
    """Start the platform. In the foreground this process becomes the supervisor and the call does not return.

    With `detach` or `attached` it returns 0 once the platform serves, and `say` was told where and how. Raises
    ConfigError, Conflict when one runs on this data folder already, InternalError when it does not come up.
    """
    settings = Settings.resolve(options, os.environ)
    log = Path(settings.data_dir, "log", "platform.log")
    supervisor = None
    try:
        with _signals_waiting():
            try:
                argv, fds = _prepare(settings)
            except OSError as failed:
                raise disk_failed(f"the platform cannot start on {settings.data_dir}", failed) from failed
            if not (options.detach or options.attached):
                _become(argv, fds)
            if options.attached:
                argv += ["--parent", str(os.getpid())]
            supervisor, report = _spawn(argv, fds, log)
        text = _await(supervisor, report, log)
    except BaseException:
        if supervisor is not None:
            supervisor.terminate()
            supervisor.wait()
        raise
    say(text)
    return 0


def stop(given_data_dir: str | None = None, *, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the platform and wait until it is gone; return False when none runs.

    Raises Unavailable when it takes longer than `timeout_s`.
    """
    folder = data_dir(given_data_dir, os.environ)
    pid = holder(folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    if not wait_released(folder, timeout_s):
        raise Unavailable(
            f"process {pid} did not stop within {timeout_s:g} s", hint="a second `dayfly stop` makes it stop at once"
        )
    return True


def status(given_data_dir: str | None = None) -> InstanceStatus:
    """Return what runs on the data folder now."""
    folder = data_dir(given_data_dir, os.environ)
    pid = holder(folder)
    if pid is None:
        return InstanceStatus(data_dir=str(folder))
    about = instance(folder)
    return InstanceStatus(
        data_dir=str(folder),
        pid=pid,
        version=about.get("version", ""),
        gateway_url=about.get("gateway_url", ""),
        console_url=about.get("console_url", ""),
        metrics_url=about.get("metrics_url", ""),
        processes=processes_of(pid),
    )


@contextlib.contextmanager
def _signals_waiting() -> Iterator[None]:
    """Have the supervisor get the signals that come meanwhile: it alone knows how to leave nothing behind."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _prepare(settings: Settings) -> tuple[list[str], dict[str, int]]:
    """Make folders, lock, listeners and the files for the children; return the supervisor's argv and descriptors."""
    os.umask(0o077)
    folder, as_root = Path(settings.data_dir), os.geteuid() == 0
    prepare_data_dir(folder, as_root=as_root)
    layers = detect(cells.refusal)  # its children come and go before anybody can take us for a platform that runs
    fds = {"lock": take_lock(folder)}
    sandbox = settle(folder, layers, allow_unsandboxed=settings.allow_unsandboxed)
    listeners = open_listeners(settings)
    run_dir = prepare_run_dir(folder, os.environ, as_root=as_root)
    place = make_place(settings, run_dir, listeners, layers, sandbox, find_server(os.environ))
    plan, path = make_plan(place, newest(), listeners.notices), plan_file(run_dir, place.life)
    write_private(run_dir / "token", secrets.token_urlsafe(32).encode())
    write_private(settings_file(run_dir, place.life), msgspec.json.encode(place))
    write_private(path, plan.to_json())
    for name in ("public", "console", "metrics"):
        fds[name] = getattr(listeners, name).detach()
    return [*plan.program, str(path), *(part for name, fd in fds.items() for part in (f"--{name}", str(fd)))], fds


def _become(argv: list[str], fds: Mapping[str, int]) -> NoReturn:
    for fd in fds.values():
        os.set_inheritable(fd, True)
    sys.stdout.flush()
    os.execv(argv[0], argv)  # noqa: S606 - our own interpreter and module, no shell


def _spawn(argv: list[str], fds: Mapping[str, int], log: Path) -> "tuple[subprocess.Popen[bytes], int]":
    """Start the supervisor beside us; return it, and where it will say how that went."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "wb") as output:
        supervisor = subprocess.Popen(
            [*argv, "--report", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[*fds.values(), writer],
            start_new_session=True,
        )
    os.close(writer)
    for fd in fds.values():
        os.close(fd)
    return supervisor, reader


def _await(supervisor: "subprocess.Popen[bytes]", report_fd: int, log: Path) -> str:
    """Return what the supervisor says once the platform serves. Raises ConfigError, InternalError."""
    with os.fdopen(report_fd, "rb") as pipe:
        line = pipe.readline()
    report: dict[str, Any] = json.loads(line) if line else {"error": "the platform ended while it started"}
    if "error" in report:
        supervisor.wait()
        failure = ConfigError if report.get("exit_code") == ConfigError.exit_code else InternalError
        raise failure(report["error"], hint=f"its log is {log}")
    supervisor.returncode = 0  # it lives on without us, so there is nothing to wait for or to warn of
    return str(report["text"])


def instance(folder: Path) -> dict[str, str]:
    """Return what the platform on the data folder says of itself; empty until it serves."""
    try:
        about: dict[str, str] = json.loads((find_run_dir(folder) / "instance.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return about


__all__ = ["InstanceStatus", "StartOptions", "start", "status", "stop"]
