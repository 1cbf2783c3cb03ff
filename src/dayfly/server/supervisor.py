"""The process behind `dayfly start`: it starts the others, starts again what dies, and leaves nothing behind.

It does nothing else, so that nothing can bring it down, and imports nothing but the standard library's lighter half, so
that it costs a few megabytes. It is one thread around one `poll`: a byte on the wake-up pipe means a signal came, a
line on a child's pipe says that the child serves.

Nothing outlives it. Children are killed by the kernel when it dies (PR_SET_PDEATHSIG), grandchildren whose parent died
become its own (PR_SET_CHILD_SUBREAPER), and the last act of a stop is to kill whatever is still its descendant.

    python -P -m dayfly.server.supervisor PLAN --lock FD --public FD --console FD --metrics FD [--report FD]
"""

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from dayfly.server.banner import ready_text
from dayfly.server.plan import Plan
from dayfly.server.process import Process, become_subreaper, kill_descendants

EXIT_BUG = 70
EXIT_CONFIG = 78


class Supervisor:
    """One installation's processes, from start to stop."""

    def __init__(self, plan: Plan, sockets: Mapping[str, int], report_fd: int | None) -> None:
        self._plan = plan
        self._processes = [Process(child, sockets) for child in plan.children]
        self._report_fd = report_fd
        self._password = ""
        self._announced = False
        self._signals: list[int] = []
        self._exit_code = 0

    def run(self) -> int:
        """Start everything and stay until a signal ends it; return the exit code."""
        wakeup = self._listen_for_signals()
        try:
            for process in self._processes:
                process.start()
            while not self._signals and not self._exit_code:
                self._turn(wakeup)
        finally:
            self._stop(wakeup)
        return self._exit_code

    def _listen_for_signals(self) -> int:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _: self._signals.append(received))
        return reader

    def _turn(self, wakeup: int) -> None:
        """Wait for something to happen, or for the next restart that is due, and deal with it."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        for process in self._processes:
            if process.ready_fd is not None:
                poll.register(process.ready_fd, select.POLLIN)
        woken = {fd for fd, _ in poll.poll(self._patience_ms())}
        if wakeup in woken:
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 4096)
        for process in self._processes:
            if process.ready_fd in woken:
                self._heard(process, process.read_report())
        self._reap()
        if not self._signals and not self._exit_code:
            self._restart_due()

    def _patience_ms(self) -> int | None:
        due = [process.restart_at for process in self._processes if process.pid is None]
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1) if due else None

    def _heard(self, process: Process, report: dict[str, str]) -> None:
        if report.get("error") and not self._announced:
            self._fail(report["error"], int(report.get("exit_code", EXIT_BUG)))
        self._password = self._password or report.get("password", "")
        if not self._announced and all(each.is_ready for each in self._processes):
            self._announce()
        elif self._announced and process.is_ready:
            _say(f"{process.child.name} is back")

    def _announce(self) -> None:
        self._announced = True
        about = {"pid": os.getpid(), **self._plan.instance}
        _write_private(Path(self._plan.run_dir, "instance.json"), json.dumps(about).encode())
        text = ready_text(self._plan.instance, password=self._password, notices=self._plan.notices)
        self._password = ""
        if self._report_fd is None:
            _write(1, text + "\n")
        self._report({"text": text})

    def _fail(self, why: str, exit_code: int) -> None:
        self._exit_code = exit_code
        if self._report_fd is None:
            _say(why)
        self._report({"error": why, "exit_code": exit_code})

    def _report(self, message: Mapping[str, object]) -> None:
        if self._report_fd is not None:
            os.write(self._report_fd, json.dumps(message).encode() + b"\n")
            os.close(self._report_fd)
            self._report_fd = None

    def _reap(self) -> None:
        for pid, status in _reaped():
            for process in self._processes:
                if process.pid == pid:
                    self._ended(process, os.waitstatus_to_exitcode(status))

    def _ended(self, process: Process, code: int) -> None:
        if process.ready_fd is not None:
            self._heard(process, process.read_report())
        process.ended()
        if self._signals or self._exit_code:
            return
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        if not self._announced and code == EXIT_CONFIG:
            self._fail(f"the {process.child.name} {how}", EXIT_CONFIG)
        elif not self._announced and process.failures > 3:
            self._fail(f"the {process.child.name} does not start: it {how} {process.failures} times", EXIT_BUG)
        else:
            wait_s = max(0.0, process.restart_at - time.monotonic())
            _say(f"{process.child.name} {how}; starting it again" + (f" in {wait_s:.1f} s" if wait_s else ""))

    def _restart_due(self) -> None:
        for process in self._processes:
            if process.pid is None and time.monotonic() >= process.restart_at:
                process.start()

    def _stop(self, wakeup: int) -> None:
        """End the processes stage by stage, kill what stays, and remove what lay in the run folder."""
        with contextlib.suppress(FileNotFoundError):
            Path(self._plan.run_dir, "instance.json").unlink()
        before = len(self._signals)
        if self._announced:
            _say("stopping; calls in flight may finish, a second signal ends them")
        for stage in sorted({process.child.stage for process in self._processes}):
            members = [process for process in self._processes if process.child.stage == stage]
            for process in members:
                process.signal(signal.SIGTERM)
            deadline = time.monotonic() + max(process.child.stop_s for process in members)
            while any(process.pid for process in members) and len(self._signals) == before:
                if not self._wait(wakeup, deadline):
                    break
            for process in members:
                if process.pid:
                    _say(f"{process.child.name} did not stop in time; killing it")
                    process.signal(signal.SIGKILL)
        kill_descendants()
        shutil.rmtree(Path(self._plan.run_dir, "scratch"), ignore_errors=True)  # what functions without a jail wrote
        _clear(Path(self._plan.run_dir))

    def _wait(self, wakeup: int, deadline: float) -> bool:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        select.select([wakeup], [], [], left_s)
        with contextlib.suppress(BlockingIOError):
            os.read(wakeup, 4096)
        self._reap()
        return True


def _reaped() -> Iterable[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status


def _clear(run_dir: Path) -> None:
    """Remove sockets, files and empty folders; never a tree, as another file system may be mounted inside."""
    for folder in (*(entry for entry in run_dir.iterdir() if _is_folder(entry)), run_dir):
        for entry in folder.iterdir():
            if not _is_folder(entry):
                entry.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _write_private(path: Path, data: bytes) -> None:
    fresh = path.with_name(f".{path.name}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    fresh.replace(path)


def _say(text: str) -> None:
    _write(2, f"dayfly: {text}\n")


def _write(fd: int, text: str) -> None:
    # Who read this may be gone, with the terminal or the other end of a pipe. That is no reason to stop serving, nor to
    # leave sockets and processes behind when it happens on the way down.
    with contextlib.suppress(OSError):
        os.write(fd, text.encode())


def _sign(lock_fd: int) -> None:
    """Write into the data folder's lock who holds it."""
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)


def main(argv: list[str]) -> int:
    """Run the supervisor that `commands.start` described in the plan; return its exit code."""
    plan_path, *rest = argv
    fds = {flag.removeprefix("--"): int(number) for flag, number in zip(rest[::2], rest[1::2], strict=True)}
    _sign(fds["lock"])
    plan = Plan.from_json(Path(plan_path).read_bytes())
    become_subreaper()
    return Supervisor(plan, fds, fds.get("report")).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
