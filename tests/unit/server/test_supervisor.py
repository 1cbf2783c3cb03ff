"""The supervisor, around small shell scripts in the place of the platform's processes."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dayfly.server.crew import CONTROL, ZYGOTES
from dayfly.server.plan import Child, Plan

INSTANCE = {
    "version": "1",
    "gateway_url": "http://g",
    "console_url": "http://c",
    "metrics_url": "http://m",
    "data_dir": "/data",
    "sandbox": "tier A",
}
SERVES = 'echo "{}" >/dev/fd/$1; exec sleep 60'
SUPERVISOR = (sys.executable, "-P", "-m", "dayfly.server.supervisor")
DEADLINE_S = 60.0


def child(
    name: str, script: str, *, reports: bool = True, stage: int = 0, stop_s: float = 5, overlaps: bool = False
) -> Child:
    argv = ["/bin/sh", "-c", script, name, *(["{ready}"] if reports else [])]
    return Child(name, argv, ["PATH", "SEEN"], [], reports=reports, stage=stage, stop_s=stop_s, overlaps=overlaps)


class Running:
    """A supervisor as a process."""

    def __init__(self, folder: Path, *children: Child) -> None:
        self.run_dir = folder / "run"
        (self.run_dir / "r").mkdir(parents=True)
        plan = Plan(str(folder), str(self.run_dir), list(children), INSTANCE, ["a notice"])
        (self.run_dir / "plan.json").write_bytes(plan.to_json())
        self.lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        reader, writer = os.pipe()
        self.output = folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*SUPERVISOR, str(self.run_dir / "plan.json"), "--lock", str(self.lock), "--report", str(writer)],
                env={**os.environ, "SEEN": "yes", "HIDDEN": "no"},
                pass_fds=(self.lock, writer),
                stdout=output,
                stderr=output,
            )
        os.close(writer)
        self.report = os.fdopen(reader)

    def said(self) -> dict[str, object]:
        line = self.report.readline()
        found: dict[str, object] = json.loads(line) if line else {}
        return found

    def text(self) -> str:
        return self.output.read_text()

    def children(self) -> list[int]:
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


def eventually(is_true: Callable[[], object]) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def is_back(running: Running, times: int) -> bool:
    return running.text().count("one is back") == times


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*children: Child) -> Running:
        started.append(Running(tmp_path, *children))
        return started[-1]

    yield start
    for each in started:
        with contextlib.suppress(ProcessLookupError):
            each.process.kill()
        each.process.wait()
        each.report.close()
        os.close(each.lock)


def test_it_reports_when_all_serve_and_leaves_nothing_when_it_stops(run: Callable[..., Running]) -> None:
    running = run(child("one", SERVES), child("two", SERVES), child("quiet", "exec sleep 60", reports=False))
    text = str(running.said()["text"])
    assert "http://g" in text
    assert "a notice" in text
    about = json.loads((running.run_dir / "instance.json").read_text())
    assert about == {"pid": running.process.pid, **INSTANCE}
    assert (running.run_dir / "instance.json").stat().st_mode & 0o777 == 0o600
    assert len(running.children()) == 3
    (running.run_dir / "left.sock").touch()
    (running.run_dir / "r" / "left.sock").touch()
    assert running.stop() == 0
    assert not running.run_dir.exists()


def test_a_password_is_shown_and_kept_nowhere(run: Callable[..., Running]) -> None:
    running = run(child("one", """echo '{"password": "s3cret-word"}' >/dev/fd/$1; exec sleep 60"""))
    assert "admin / s3cret-word" in str(running.said()["text"])
    assert "s3cret-word" not in running.text()
    assert "s3cret-word" not in (running.run_dir / "instance.json").read_text()


def test_children_get_the_variables_named_and_no_others(run: Callable[..., Running], tmp_path: Path) -> None:
    running = run(child("one", f"env > {tmp_path}/env; {SERVES}"))
    assert running.said()
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert "SEEN" in names
    assert "HIDDEN" not in names
    assert "HOME" not in names


def test_children_do_not_hold_the_lock(run: Callable[..., Running], tmp_path: Path) -> None:
    running = run(child("one", f"ls -l /proc/self/fd > {tmp_path}/fds; {SERVES}"))
    assert running.said()
    assert "/lock\n" not in (tmp_path / "fds").read_text()


def test_one_that_dies_is_started_again_at_once_then_with_patience(run: Callable[..., Running]) -> None:
    running = run(child("one", SERVES))
    assert running.said()
    for lives in range(3):
        os.kill(running.children()[0], signal.SIGKILL)
        eventually(functools.partial(is_back, running, lives + 1))
    lines = [line for line in running.text().splitlines() if "killed by signal 9" in line]
    assert [line.endswith("again") for line in lines] == [True, False, False]
    assert running.stop() == 0


def test_one_that_refuses_its_settings_ends_the_start_with_78(run: Callable[..., Running]) -> None:
    running = run(
        child("one", """echo '{"error": "no good", "exit_code": 78}' >/dev/fd/$1; exit 78"""), child("two", SERVES)
    )
    assert running.said() == {"error": "no good", "exit_code": 78}
    assert running.process.wait(DEADLINE_S) == 78
    assert not running.run_dir.exists()


def test_one_that_never_starts_ends_the_start_with_70(run: Callable[..., Running]) -> None:
    running = run(child("one", "exit 3"), child("two", SERVES))
    said = running.said()
    assert "the one does not start: it ended with code 3" in str(said["error"])
    assert running.process.wait(DEADLINE_S) == 70


def test_what_a_dead_one_started_may_hold_its_pipe(run: Callable[..., Running]) -> None:
    running = run(child("one", "sleep 600 & exit 3"), child("two", SERVES))
    assert "the one does not start: it ended with code 3" in str(running.said()["error"])
    assert running.process.wait(DEADLINE_S) == 70


def test_half_a_line_is_waited_for_and_nothing_else_waits(run: Callable[..., Running], tmp_path: Path) -> None:
    half, whole = tmp_path / "half", tmp_path / "whole"
    halting = f"printf '{{' >/dev/fd/$1; : > {half}; until [ -e {whole} ]; do sleep 0.01; done; "
    running = run(
        child("one", halting + "echo '}' >/dev/fd/$1; exec sleep 60"),
        child("two", f"until [ -e {half} ]; do sleep 0.01; done; echo two works; {SERVES}"),
    )
    eventually(lambda: "two works" in running.text())
    whole.touch()
    assert "http://g" in str(running.said()["text"])


def test_two_lines_at_once_are_two(run: Callable[..., Running], tmp_path: Path) -> None:
    twice = r"""printf '{}\n{"leaving": "yes"}\n' >/dev/fd/$1; exec sleep 60"""
    running = run(child("one", f"mkdir {tmp_path}/first && {{ {twice}; }}; {SERVES}", overlaps=True))
    assert "http://g" in str(running.said()["text"])
    eventually(lambda: is_back(running, 1))


def test_one_that_says_no_end_of_a_line_is_not_listened_to(run: Callable[..., Running]) -> None:
    running = run(child("one", "head -c 200000 /dev/zero >/dev/fd/$1; exec sleep 60"), child("two", SERVES))
    assert running.said() == {"error": "the one says no end of a line", "exit_code": 70}
    assert running.process.wait(DEADLINE_S) == 70


def test_stages_end_in_order(run: Callable[..., Running], tmp_path: Path) -> None:
    def noting(name: str) -> str:
        at_end = f'trap "sleep 0.1; echo {name} >> {tmp_path}/order; exit 0" USR1'
        return at_end + '; echo "{}" >/dev/fd/$1; while :; do sleep 0.05; done'

    running = run(*(child(f"s{stage}", noting(f"s{stage}"), stage=stage) for stage in (2, 0, 1)))
    assert running.said()
    assert running.stop() == 0
    assert (tmp_path / "order").read_text().split() == ["s0", "s1", "s2"]


def test_another_zygote_has_the_control_plane_begin_anew_and_nobody_else(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    leaves = """trap 'echo "{\\"leaving\\": \\"\\"}" >/dev/fd/$1; exit 0' TERM; """
    leaves += 'echo "{}" >/dev/fd/$1; while :; do sleep 0.05; done'
    running = run(
        child("gateway", SERVES), child("control", SERVES, stage=CONTROL),
        child("zygote", f"echo $$ >> {tmp_path}/zygotes; {leaves}", stage=ZYGOTES, overlaps=True),
    )  # fmt: skip
    assert running.said()
    (zygote,) = (tmp_path / "zygotes").read_text().split()
    before = set(running.children()) - {int(zygote)}
    os.kill(int(zygote), signal.SIGTERM)
    eventually(lambda: "control is back" in running.text())
    text = running.text()
    assert "zygote finishes its work and goes" in text
    assert "zygote is back" in text
    assert "gateway" not in text
    assert len(before & set(running.children())) == 1


def test_one_that_does_not_stop_in_time_is_killed(run: Callable[..., Running]) -> None:
    stubborn = 'trap "" USR1; echo "{}" >/dev/fd/$1; while :; do sleep 0.05; done'
    running = run(child("one", stubborn, stop_s=0.3))
    assert running.said()
    assert running.stop() == 0
    assert "one did not stop in time; killing it" in running.text()


def test_a_second_signal_waits_for_nobody(run: Callable[..., Running]) -> None:
    stubborn = 'trap "echo asked >&2" USR1; echo "{}" >/dev/fd/$1; while :; do sleep 0.05; done'
    running = run(child("one", stubborn, stop_s=600))
    assert running.said()
    running.process.send_signal(signal.SIGINT)
    eventually(lambda: "asked" in running.text())
    assert running.stop() == 0


def test_what_children_left_running_is_killed_too(run: Callable[..., Running], tmp_path: Path) -> None:
    running = run(child("one", f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60' & {SERVES}"))
    assert running.said()
    eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    orphan = int((tmp_path / "pid").read_text())
    assert running.stop() == 0
    assert not Path(f"/proc/{orphan}").exists()


def test_the_last_words_of_one_that_dies_are_not_lost(run: Callable[..., Running], tmp_path: Path) -> None:
    """They have no line end, and another process still holds the pipe."""
    served = f'echo "{{}}" >/dev/fd/$1; [ -e {tmp_path}/again ] && exec sleep 60; touch {tmp_path}/again; '
    running = run(child("one", served + "setsid sleep 60 & printf 'last words' >&2; exit 3"))
    assert running.said()
    eventually(lambda: is_back(running, 1))
    assert "last words\n" in running.text()


def test_a_supervisor_that_breaks_says_so_in_the_form_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    plan = Plan(str(tmp_path), str(tmp_path / "run"), [child("one", SERVES)], {}, [], log_format="json")
    (tmp_path / "plan.json").write_bytes(plan.to_json())
    with (tmp_path / "lock").open("w") as lock:
        argv = [*SUPERVISOR, str(tmp_path / "plan.json"), "--lock", str(lock.fileno())]
        done = subprocess.run(argv, pass_fds=[lock.fileno()], stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)
    (*_, last) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (last["process"], last["level"]) == ("supervisor", "critical")
    assert "KeyError" in last["message"], "an instance without a version cannot be announced"


def test_children_die_with_a_killed_supervisor(run: Callable[..., Running]) -> None:
    running = run(child("one", SERVES))
    assert running.said()
    (victim,) = running.children()
    running.process.kill()
    running.process.wait()
    eventually(lambda: not Path(f"/proc/{victim}").exists())


def test_it_loads_nothing_heavy() -> None:
    code = "import sys, dayfly.server.supervisor; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"msgspec", "asyncio", "ssl", "logging", "uvloop", "click", "dataclasses", "inspect"}
