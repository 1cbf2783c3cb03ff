"""The process behind `dayfly start`: it starts the others, starts again what dies, and leaves nothing behind.

Nothing else, so that nothing can bring it down, and by the standard library's lighter half alone, for a few megabytes.
It is one thread around one `poll`: a byte on the wake-up pipe is a signal, a line on a child's that the child serves,
and what children write for the log passes through here, for standard error and for whoever asks for it later.

Nothing outlives it. Children are killed by the kernel when it dies (PR_SET_PDEATHSIG), grandchildren whose parent died
become its own (PR_SET_CHILD_SUBREAPER), and the last act of a stop is to kill whatever is still its descendant.

A running one can become another version's, which is given what the earlier life has started; see `changeover`.

    python -P -m dayfly.server.supervisor PLAN --lock FD --public FD --console FD --metrics FD [--report FD]
                                               [--handover PATH] [--parent PID]
    python -P -m dayfly.server.supervisor PLAN --check VERSION
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from dayfly.runtimes.scribe import Scribe
from dayfly.server import changeover
from dayfly.server.banner import changed_text, ready_text
from dayfly.server.changeover import Changeover, Failed
from dayfly.server.crew import CONTROL, END, ZYGOTES, Crew
from dayfly.server.lookout import Lookout
from dayfly.server.parts_log import PartsLog
from dayfly.server.plan import Handover, Plan
from dayfly.server.process import Process, become_subreaper, end_with, kill_descendants
from dayfly.server.traces import clear, say, sign, speak, tell, write, write_private

EXIT_BUG = 70
EXIT_CONFIG = 78
_LOOK_AGAIN_MS = 50
"""How often a changeover looks whether its deadlines have passed."""


class Supervisor:
    """One installation's processes, from start to stop."""

    def __init__(
        self, plan_path: str, plan: Plan, fds: Mapping[str, int], scribe: Scribe, before: Handover | None
    ) -> None:
        self._plan_path = plan_path
        self._plan = plan
        self._scribe = scribe
        self._lookout = Lookout(scribe)
        self._run_dir = Path(self._plan.run_dir)
        self._fds = {name: fd for name, fd in fds.items() if name != "report"}
        self._report_fd = fds.get("report")
        self._crew = Crew(self._fds, before.generation if before else 0, scribe)
        self._change = Changeover(self._plan, self._crew, before) if before else None
        self._password = ""
        self._announced = before is not None
        self._signals: list[int] = []
        self._asked = False
        self._exit_code = 0

    def run(self) -> int:
        """Start everything and stay until a signal ends it; return the exit code."""
        self._listen_for_signals()
        try:
            if self._change is None:
                for child in self._plan.children:
                    self._crew.hire(child)
            while not self._signals and not self._exit_code:
                self._change_over()
                self._turn()
        finally:
            self._stop()
        return self._exit_code

    def _listen_for_signals(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _: self._signals.append(received))
        signal.signal(changeover.ASK, lambda *_: setattr(self, "_asked", True))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, changeover.SIGNALS)

    def _turn(self) -> None:
        """Wait for something to happen, or for the next restart that is due, and deal with it."""
        ready = [process.ready_fd for process in self._crew.members if process.ready_fd is not None]
        woken = self._lookout.wait(ready, self._patience_ms())
        for process in list(self._crew.members):
            for report in process.read_reports() if process.ready_fd in woken else ():
                self._heard(process, report)
        self._reap()
        if not self._signals and not self._exit_code:
            self._crew.start_due()

    def _patience_ms(self) -> int | None:
        patience_ms = self._crew.patience_ms()
        return min(patience_ms or _LOOK_AGAIN_MS, _LOOK_AGAIN_MS) if self._change else patience_ms

    def _heard(self, process: Process, report: dict[str, str]) -> None:
        error = report.get("error", "")
        if "leaving" in report:
            say(f"{process.child.name} finishes its work and goes; another is started in its place")
            self._crew.succeed(process)
        elif self._change and error:
            self._change.heard(process, error)
        elif error and not self._announced:
            self._fail(error, int(report.get("exit_code", EXIT_BUG)))
        elif not self._announced:
            self._password = self._password or report.get("password", "")
            if all(each.is_ready for each in self._crew.members):
                self._announce()
        elif process.is_ready and not self._change:
            say(f"{process.child.name} is back")
            if process.child.stage == ZYGOTES:
                self._renew_control()

    def _renew_control(self) -> None:
        """Have the control plane begin anew, so that it finds this generation of zygotes; it leaves all at work."""
        for process in self._crew.members:
            if process.child.stage == CONTROL and process.generation < self._crew.generation:
                process.signal(signal.SIGTERM)

    # -- another version ---------------------------------------------------------------------------------------------

    def _change_over(self) -> None:
        if self._asked:
            self._asked = False
            self._asked_to_change()
        if self._change is None:
            return
        before = self._change.before
        try:
            self._change.go_on()
        except Failed as failed:
            self._go_back(before, str(failed))
        if self._change.done:
            self._change = None
            self._write_instance()
            text = changed_text(self._plan.instance["version"], before.version, before.failure)
            say(text)
            self._report({"error": text, "exit_code": EXIT_BUG} if before.failure else {"text": text})

    def _asked_to_change(self) -> None:
        try:
            path, report_fd = changeover.read_request(self._run_dir)
            plan = Plan.from_json(Path(path).read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            say(f"asked to change the version, but the request cannot be read: {error!r}")
            return
        if self._change or not self._announced:
            why = "it is starting or changing over at this moment; try again when `dayfly status` shows its version"
        else:
            why = changeover.refusal(path, plan, self._plan_path, self._plan)
        if not why:
            self._report_fd = report_fd
            why = self._become(path, plan.program, "")
            self._report_fd = None
        tell(report_fd, {"error": why, "exit_code": EXIT_CONFIG})

    def _go_back(self, before: Handover, failure: str) -> None:
        assert self._change is not None
        version = self._plan.instance["version"]
        say(f"version {version} does not come up: {failure}")
        why = "this is already the way back"
        if not before.failure:
            try:
                plan = Plan.from_json(Path(before.plan).read_bytes())
                why = changeover.refusal(before.plan, plan, self._plan_path, self._plan)
            except (OSError, ValueError) as error:
                why = str(error)
            why = why or self._become(before.plan, before.program, failure)
        text = f"version {version} does not come up: {failure}. There is no way back to {before.version}: {why}."
        self._change.patient = True
        say(text)
        self._report({"error": f"{text} Calls go on, and it is tried again and again.", "exit_code": EXIT_BUG})

    def _become(self, path: str, program: list[str], failure: str) -> str:
        """Become that program; returns only with the reason why not."""
        self._scribe.flush()
        ours = self._plan
        handover = Handover(
            self._plan_path, ours.program, ours.instance["version"], ours.layout, self._crew.generation,
            self._crew.hand_on(), failure,
        )  # fmt: skip
        fds = dict(self._fds) | ({"report": self._report_fd} if self._report_fd is not None else {})
        try:
            changeover.become(path, program, handover, self._run_dir, fds)
        except OSError as error:
            return f"{program[0]} cannot be run: {error}"

    # -- what is said ------------------------------------------------------------------------------------------------

    def _announce(self) -> None:
        self._announced = True
        self._write_instance()
        text = ready_text(self._plan.instance, password=self._password, notices=self._plan.notices)
        self._password = ""
        if self._report_fd is None:
            write(1, self._scribe.aside(text) + "\n")
        self._report({"text": text})

    def _write_instance(self) -> None:
        about = {"pid": os.getpid(), **self._plan.instance}
        write_private(self._run_dir / "instance.json", json.dumps(about).encode())

    def _fail(self, why: str, exit_code: int) -> None:
        self._exit_code = exit_code
        if self._report_fd is None:
            say(why)
        self._report({"error": why, "exit_code": exit_code})

    def _report(self, message: Mapping[str, object]) -> None:
        if self._report_fd is not None:
            tell(self._report_fd, message)
            self._report_fd = None

    # -- ends --------------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        for process, code in self._crew.reap():
            self._ended(process, code)

    def _ended(self, process: Process, code: int) -> None:
        for report in () if process.is_ready else process.read_reports(is_gone=True):
            self._heard(process, report)
        process.ended()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        if process in self._crew.leaving:
            self._crew.leaving.remove(process)
            if code:
                say(f"{process.child.name}, which was leaving, {how}")
            return
        if self._signals or self._exit_code:
            return
        if not self._announced and code == EXIT_CONFIG:
            self._fail(f"the {process.child.name} {how}", EXIT_CONFIG)
        elif not self._announced and process.failures > 3:
            self._fail(f"the {process.child.name} does not start: it {how} {process.failures} times", EXIT_BUG)
        else:
            wait_s = max(0.0, process.restart_at - time.monotonic())
            say(f"{process.child.name} {how}; starting it again" + (f" in {wait_s:.1f} s" if wait_s else ""))

    def _stop(self) -> None:
        """End the processes stage by stage, kill what stays, and remove what lay in the run folder."""
        with contextlib.suppress(OSError):  # on a disk that became read-only it stays, and calls in flight matter more
            (self._run_dir / "instance.json").unlink()
        self._report({"error": "the platform was told to stop", "exit_code": EXIT_BUG})
        before = len(self._signals)
        if self._announced:
            say("stopping; calls in flight may finish, a second signal ends them")
        for stage in self._crew.stages():
            members = self._crew.stage(stage)
            for process in members:
                process.signal(signal.Signals(process.child.ends_by or END))
            deadline = time.monotonic() + max(process.child.stop_s for process in members)
            while any(process.pid for process in members) and len(self._signals) == before:
                if not self._wait(deadline):
                    break
            for process in members:
                if process.pid:
                    say(f"{process.child.name} did not stop in time; killing it")
                    process.signal(signal.SIGKILL)
        kill_descendants()
        try:
            clear(self._run_dir)
        except OSError as failed:
            say(f"{self._run_dir} could not be cleared ({failed.strerror}); the next start does it")
        self._scribe.flush()

    def _wait(self, deadline: float) -> bool:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        self._lookout.wait((), int(left_s * 1000) + 1)
        self._reap()
        return True


def main(argv: list[str]) -> int:
    """Run the supervisor that `commands.start` or `upgrade` described in the plan; return its exit code."""
    plan_path, given = argv[0], dict(zip(argv[1::2], argv[2::2], strict=True))
    plan = Plan.from_json(Path(plan_path).read_bytes())
    if "--check" in given:
        return changeover.check(plan, given["--check"])
    handover, parent = given.pop("--handover", ""), given.pop("--parent", "")
    fds = {flag.removeprefix("--"): int(number) for flag, number in given.items()}
    sign(fds["lock"])
    become_subreaper()
    if not end_with(parent):
        return 0
    scribe = Scribe("supervisor", plan.log_format, PartsLog(Path(plan.data_dir, "log")).keep)
    speak(scribe.say)
    sys.excepthook = scribe.last_words
    before = Handover.from_json(Path(handover).read_bytes()) if handover else None
    return Supervisor(plan_path, plan, fds, scribe, before).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
