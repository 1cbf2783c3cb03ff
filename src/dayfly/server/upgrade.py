"""`dayfly upgrade`: this program takes over from the version that runs, without losing a call; and the way back.

Everything that can be found out before is found out before: whether the state migrates is tried on a copy, whether the
new processes can be described and started is asked of the program itself. Then the running supervisor is told to become
this program's; what follows is in `changeover`, and this waits for the one line that says what became of it.
"""

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from dayfly import __version__
from dayfly.model.errors import ConfigError, Conflict, InternalError, NotFound
from dayfly.queue.binary import find_server
from dayfly.server.changeover import ASK, REQUEST
from dayfly.server.commands import instance
from dayfly.server.folders import find_run_dir
from dayfly.server.lock import holder, take_lock
from dayfly.server.plan import Plan
from dayfly.server.settings import data_dir
from dayfly.server.traces import write_private
from dayfly.server.wiring import STATE, Place, make_plan, plan_file, read_place, settings_file
from dayfly.storage import layouts
from dayfly.storage.migrations import layout_for, newest

TIMEOUT_S = 600.0
_LAYOUT_S = 300.0


def upgrade(given_data_dir: str | None = None, *, again: bool = False, say: Callable[[str], None] = print) -> str:
    """Take over from the version that runs on the data folder and return what became of it.

    `again` replaces every process though it is this version already. Raises NotFound when nothing runs, Conflict when
    what runs cannot hand over, StoreUnavailable when its state cannot be migrated, InternalError when it failed.
    """
    folder = data_dir(given_data_dir, os.environ)
    pid, about = holder(folder), instance(folder)
    if pid is None:
        raise NotFound(
            f"no platform runs on {folder}, so there is nothing to take over",
            hint=f"`dayfly start` starts version {__version__} and brings the state to its layout",
        )
    if not about.get("life"):
        raise Conflict(
            f"the platform on {folder} is starting, or of a version that cannot hand over what runs",
            hint="try again when `dayfly status` shows its version, or use `dayfly stop` and `dayfly start`",
        )
    if about["version"] == __version__ and not again:
        return f"Version {__version__} runs already."
    run_dir, life = find_run_dir(folder), int(about["life"])
    running = Plan.from_json(plan_file(run_dir, life).read_bytes())
    count = _rehearse(folder, running)
    say(f"The state was brought to layout {newest()} on a copy: {count} functions, all readable.")
    return _ask(pid, run_dir, _describe(run_dir, life), about["version"])


def back_to(target: str, given_data_dir: str | None = None) -> str:
    """Bring the state of a platform that is stopped back to an older layout, given as such or as the version's number.

    Return what was done. Raises Conflict while the platform runs, ConfigError when there is no way back that far.
    """
    folder = data_dir(given_data_dir, os.environ)
    layout = int(target) if target.isascii() and target.isdigit() else layout_for(target)
    if not (folder / STATE).is_file():
        raise NotFound(f"there is no state in {folder}")
    lock = take_lock(folder)
    try:
        found = layouts.take_back(folder / STATE, layout)
    finally:
        os.close(lock)
    if found == layout:
        return f"The state has layout {layout} already."
    kept = f"{STATE}.layout-{found}"
    return f"The state was brought back from layout {found} to {layout}; as it was, it is kept in {kept}."


def _rehearse(folder: Path, running: Plan) -> int:
    """Do on a copy of the state what will be done with it; return the number of functions."""
    with tempfile.TemporaryDirectory(prefix="upgrade-", dir=folder) as scratch:
        copy = Path(scratch, STATE)
        layouts.copy(folder / STATE, copy)
        if layouts.layout_of(copy) > newest():
            command = [running.program[0], "-P", "-m", "dayfly.server.layout", scratch, str(newest())]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_LAYOUT_S)
            except (OSError, subprocess.SubprocessError) as error:
                raise ConfigError(f"version {running.instance['version']} cannot be run any more: {error}") from error
            if done.returncode:
                raise ConfigError(
                    f"the state cannot be brought back to layout {newest()}: {done.stderr.strip()}",
                    hint="nothing was changed; the platform runs on",
                )
        return layouts.rehearse(copy)


def _describe(run_dir: Path, life: int) -> Path:
    """Write the next life's plan and settings into the run folder and return where the plan is."""
    now = read_place(str(settings_file(run_dir, life)))
    place: Place = msgspec.structs.replace(now, life=life + 1, nats=find_server(os.environ))
    notices = Plan.from_json(plan_file(run_dir, life).read_bytes()).notices
    path = plan_file(run_dir, place.life)
    write_private(settings_file(run_dir, place.life), msgspec.json.encode(place))
    write_private(path, make_plan(place, newest(), notices).to_json())
    return path


def _ask(pid: int, run_dir: Path, plan: Path, before: str) -> str:
    """Tell the supervisor to become the plan's program; wait for what it has to say and return that."""
    pipe = run_dir / f"upgrade-{os.getpid()}.pipe"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe, 0o600)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        write_private(run_dir / REQUEST, json.dumps({"plan": str(plan), "report": str(pipe)}).encode())
        os.kill(pid, ASK)
        line = _line(reader)
    finally:
        os.close(reader)
        pipe.unlink(missing_ok=True)
    report: dict[str, str] = json.loads(line) if line else {"error": "the platform ended meanwhile"}
    if "error" in report:
        raise InternalError(f"version {before} was not replaced: {report['error']}", hint="its log says more")
    return report["text"][:1].upper() + report["text"][1:] + "."


def _line(reader: int) -> bytes:
    poll, line = select.poll(), b""
    poll.register(reader, select.POLLIN)
    deadline = time.monotonic() + TIMEOUT_S
    while not line.endswith(b"\n"):
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise InternalError(f"the platform said nothing for {TIMEOUT_S:g} s", hint="look into its log")
        piece = os.read(reader, 65_536)
        if not piece:
            return b""
        line += piece
    return line
