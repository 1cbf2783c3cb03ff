"""From one life of the supervisor to the next: another version takes over everything that runs, and no call is lost.

`dayfly upgrade` asks for it with a file and a signal. The supervisor replaces its own program (execv) and stays the
same process: its children stay its children, and listeners and lock stay open. The next life then brings up its own
processes beside the ones it was handed, in this order:

0. nats-server, once the old one has ended: two of them must not have the same files; calls wait for it meanwhile,
1. an egress proxy, which takes over the place where zygotes find it, and a zygote of the next generation,
2. the control plane: the new one stands by until the old one has left, with replicas and gateways at work, then brings
   the state to its layout and adopts every replica; those of older zygotes it replaces as in a rollout,
3. the queue's process and the gateways, each on the listeners of the one before, which then finishes its calls and
   goes,
4. the older zygotes: each goes with its last replica, and the older egress proxy with the last of them.

If a new process does not come up, the same is done once more in the other direction.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from dayfly import __version__
from dayfly.server.crew import ZYGOTES, Crew
from dayfly.server.plan import Handover, Plan
from dayfly.server.process import Process
from dayfly.server.traces import write_private

REQUEST = "upgrade.json"
ASK = signal.SIGUSR2
"""Tells the supervisor to read the request."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, ASK)
_COME_UP_S = 60.0
"""How long a new process may take until it serves."""
_TRIES = 3
_TRIAL_S = 20.0
_STATE_S = 300.0
_CONTROL, _EGRESS = 1, 3


class Failed(Exception):
    """The change cannot go on."""


class Changeover:
    """One life's taking over of what the life before has handed on."""

    def __init__(self, plan: Plan, crew: Crew, before: Handover) -> None:
        self.before = before
        self.done = False
        self.patient = False
        """Whether to wait for ever, since there is nothing to go back to."""
        self._plan = plan
        self._crew = crew
        self._errors: dict[str, str] = {}
        self._until: Callable[[], bool] = lambda: True
        self._script = self._run()
        crew.take_over(before.processes)

    def go_on(self) -> None:
        """Do whatever can be done now. Raises Failed."""
        while not self.done and self._until():
            try:
                self._until = next(self._script)
            except StopIteration:
                self.done = True

    def heard(self, process: Process, error: str) -> None:
        """Note why a process cannot serve."""
        self._errors[process.child.name] = error

    def _run(self) -> Iterator[Callable[[], bool]]:
        """Take over; yield what has to come true before the next step."""
        old = {number: list(self._crew.stage(number)) for number in self._crew.stages()}
        for child in sorted(self._plan.children, key=lambda child: -child.stage):
            if child.stage == _CONTROL and self.before.layout > self._plan.layout:
                yield from self._end(old.get(_CONTROL, []))
                yield self._right(self._take_state_back())
            if child.alone:
                yield from self._end([each for each in old.get(child.stage, ()) if each.child.name == child.name])
            process = self._crew.hire(child)
            if child.stage == _CONTROL:
                yield self._comes(process, lambda process=process: process.stands_by)  # type: ignore[misc] # mypy knows no types of a lambda's defaults
                yield from self._end(old.get(_CONTROL, []))
            yield self._comes(process, lambda: False)
            if child.stage < _CONTROL and old.get(child.stage):
                old[child.stage].pop(0).signal(signal.SIGTERM)
        for process in (*old.get(0, ()), *old.get(ZYGOTES, ()), *old.get(_EGRESS, ())):
            process.signal(signal.SIGTERM)

    def _end(self, processes: list[Process]) -> Iterator[Callable[[], bool]]:
        for process in processes:
            process.signal(signal.SIGTERM)
            deadline = time.monotonic() + process.child.stop_s
            yield lambda process=process, at=deadline: process.pid is None or time.monotonic() > at  # type: ignore[misc] # as above
            process.signal(signal.SIGKILL)
            yield lambda process=process: process.pid is None  # type: ignore[misc] # as above

    def _comes(self, process: Process, is_enough: Callable[[], bool]) -> Callable[[], bool]:
        """Return whether the process serves, or what is enough has come true; raises Failed when neither will."""
        deadline = time.monotonic() + _COME_UP_S
        name = process.child.name

        def serves() -> bool:
            if self.patient or process.is_ready or is_enough():
                return process.is_ready or is_enough()
            if process.failures >= _TRIES:
                raise Failed(f"its {name} does not start: {self._errors.get(name, 'the log says why')}")
            if time.monotonic() > deadline:
                raise Failed(f"its {name} did not serve within {_COME_UP_S:g} s")
            return False

        return serves

    def _right(self, why: str) -> Callable[[], bool]:
        def right() -> bool:
            if why and not self.patient:
                raise Failed(why)
            return True

        return right

    def _take_state_back(self) -> str:
        """Bring the state back to our layout, which only the newer program before us can do; return why it failed."""
        before, ours = self.before, self._plan.layout
        if before.layout <= ours:
            return ""
        program = [before.program[0], "-P", "-m", "dayfly.server.layout"]
        why = _tried([*program, self._plan.data_dir, str(ours)], _STATE_S)
        return why and f"the state could not be brought back to layout {ours}: {why}"


def read_request(run_dir: Path) -> tuple[str, int]:
    """Return the path of the plan to change over to and the pipe that waits for what became of it. Raises OSError."""
    path = run_dir / REQUEST
    fields = json.loads(path.read_bytes())
    path.unlink()
    return str(fields["plan"]), os.open(fields["report"], os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def refusal(path: str, plan: Plan, ours_path: str, ours: Plan) -> str:
    """Return why that program cannot take over from us; nothing when it can. It is tried, which takes a moment."""
    why = _tried([*plan.program, path, "--check", plan.instance["version"]], _TRIAL_S)
    if not why and ours.layout > plan.layout:
        why = _tried([*ours.program, ours_path, "--check", ours.instance["version"]], _TRIAL_S)
        why = why and f"only this version can bring the state back, and it is not there any more: {why}"
    return why


def _tried(argv: list[str], limit_s: float) -> str:
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = done.stderr.strip().rpartition("\n")[2]
    return "" if done.returncode == 0 else said or f"it ended with code {done.returncode}"


def check(plan: Plan, version: str) -> int:
    """Say whether this program is of that version: what a supervisor asks of a program before it becomes it."""
    del plan  # that it could be read was the other half of the question
    if version != __version__:
        sys.stderr.write(f"{sys.executable} runs version {__version__} now, not {version}\n")
        return 1
    return 0


def become(plan_path: str, program: list[str], handover: Handover, run_dir: Path, fds: Mapping[str, int]) -> NoReturn:
    """Replace this program by another. Raises OSError, with everything as it was."""
    path = run_dir / "handover.json"
    write_private(path, handover.to_json())
    flags = [word for name, number in fds.items() for word in (f"--{name}", str(number))]
    # A signal that comes between the two lives waits for the second, which would otherwise die of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for number in (*fds.values(), *(each.log_fd for each in handover.processes if each.log_fd >= 0)):
            os.set_inheritable(number, True)
        os.execv(program[0], [*program, plan_path, *flags, "--handover", str(path)])  # noqa: S606 - ours, no shell
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
