"""One life of the supervisor after another, around small shell scripts in the place of the platform's processes."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.server.test_supervisor import DEADLINE_S, INSTANCE, SUPERVISOR, eventually

from dayfly import __version__
from dayfly.server.plan import Child, Handover, Plan
from dayfly.server.reporting import Reporter

NOTE = 'note() { echo "$life $1 $2" >> "$notes"; }; '
WORKS = NOTE + 'trap "note $0 told; exit 0" TERM; note $0 up; echo "{}" >/dev/fd/$1; while :; do sleep 0.02; done'
STAGES = {"gateway": 0, "control": 1, "zygote": 2}


def children(folder: Path, life: str, scripts: dict[str, str]) -> list[Child]:
    found = []
    for name in ("zygote", "control", "gateway"):
        script = f"life={life}; notes={folder}/notes; {scripts.get(name, WORKS)}"
        argv = ["/bin/sh", "-c", script, name, "{ready}", "{name}", "{generation}"]
        stage = STAGES[name]
        found.append(Child(name, argv, ["PATH"], [], reports=True, stage=stage, stop_s=2, overlaps=stage != 1))
    return found


class Lives:
    """A supervisor that is told to begin new lives."""

    def __init__(self, folder: Path, **scripts: str) -> None:
        self.folder, self.run_dir, self.life = folder, folder / "run", 0
        (self.run_dir / "r").mkdir(parents=True)
        (folder / "log").mkdir()
        self.lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        reader, writer = os.pipe()
        with (folder / "output").open("w") as output:
            self.process = subprocess.Popen(
                [*SUPERVISOR, self.plan(scripts), "--lock", str(self.lock), "--report", str(writer)],
                pass_fds=(self.lock, writer), stdout=output, stderr=output,
            )  # fmt: skip
        os.close(writer)
        with os.fdopen(reader) as pipe:
            assert "text" in json.loads(pipe.readline())

    def plan(self, scripts: dict[str, str], version: str = __version__, layout: int = 1) -> str:
        self.life += 1
        path, about = self.run_dir / f"plan-{self.life}.json", INSTANCE | {"version": version, "life": str(self.life)}
        born = children(self.folder, str(self.life), scripts)
        plan = Plan(str(self.folder), str(self.run_dir), born, about, [], list(SUPERVISOR), layout)
        path.write_bytes(plan.to_json())
        return str(path)

    def ask(self, plan: str) -> dict[str, str]:
        pipe = self.run_dir / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        (self.run_dir / "upgrade.json").write_text(json.dumps({"plan": plan, "report": str(pipe)}))
        self.process.send_signal(signal.SIGUSR2)
        said = b""

        def heard() -> bool:
            nonlocal said
            with contextlib.suppress(BlockingIOError):
                said += os.read(reader, 65_536)
            return said.endswith(b"\n")

        eventually(heard)
        os.close(reader)
        pipe.unlink()
        report: dict[str, str] = json.loads(said)
        return report

    def notes(self) -> list[str]:
        return (self.folder / "notes").read_text().splitlines()

    def text(self) -> str:
        return (self.folder / "output").read_text()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Lives]]:
    started: list[Lives] = []

    def begin(**scripts: str) -> Lives:
        started.append(Lives(tmp_path, **scripts))
        return started[-1]

    yield begin
    for lives in started:
        lives.process.kill()
        lives.process.wait()
        os.close(lives.lock)


def test_each_part_is_replaced_beside_the_old_one_in_order(start: Callable[..., Lives]) -> None:
    lives = start()
    report = lives.ask(lives.plan({}))
    assert report["text"] == f"changed from version {__version__} to {__version__}; what runs of the old one " \
        "finishes its calls and goes"  # fmt: skip
    eventually(lambda: len(lives.notes()) == 9)
    assert set(lives.notes()[:3]) == {"1 zygote up", "1 control up", "1 gateway up"}
    assert lives.notes()[3:7] == ["2 zygote up", "2 control up", "1 control told", "2 gateway up"]
    assert set(lives.notes()[7:]) == {"1 gateway told", "1 zygote told"}
    assert json.loads((lives.run_dir / "instance.json").read_text())["life"] == "2"
    lives.process.send_signal(signal.SIGTERM)
    assert lives.process.wait(DEADLINE_S) == 0
    assert not lives.run_dir.exists()


def test_names_and_generations_are_told_apart(start: Callable[..., Lives], tmp_path: Path) -> None:
    says = f'echo "$2 $3" >> {tmp_path}/names; ' + WORKS
    lingers = says.replace("exit 0", "true")
    lives = start(gateway=lingers, zygote=says, control=says)
    lives.ask(lives.plan({"gateway": says, "zygote": says, "control": says}))
    names = (tmp_path / "names").read_text().splitlines()
    assert set(names[:3]) == {"zygote 1", "control 1", "gateway 1"}
    assert names[3:] == ["zygote.1 2", "control.1 2", "gateway.1 2"]


@pytest.mark.parametrize("name", ["zygote", "control", "gateway"])
def test_what_does_not_come_up_gives_way_to_what_was_before(start: Callable[..., Lives], name: str) -> None:
    lives = start()
    report = lives.ask(lives.plan({name: "exit 3"}))
    assert f"version {__version__} did not come up: its {name} does not start" in report["error"]
    assert "has taken over again" in report["error"]
    assert json.loads((lives.run_dir / "instance.json").read_text())["life"] == "1"
    assert [note for note in lives.notes() if note == "1 gateway up"] == ["1 gateway up"] * 2


def test_a_control_plane_that_stands_by_is_waited_for_and_the_old_one_told_then(start: Callable[..., Lives]) -> None:
    waits = NOTE + 'note $0 begun; echo "{\\"standby\\": \\"yes\\"}" >/dev/fd/$1; '
    waits += 'until grep -q "1 control told" "$notes"; do sleep 0.02; done; ' + WORKS.removeprefix(NOTE)
    lives = start()
    assert "text" in lives.ask(lives.plan({"control": waits}))
    control = [note for note in lives.notes() if "control" in note]
    assert control == ["1 control up", "2 control begun", "1 control told", "2 control up"]


def test_a_program_that_is_not_there_or_of_another_version_changes_nothing(start: Callable[..., Lives]) -> None:
    lives = start()
    assert "runs version" in lives.ask(lives.plan({}, version="77.7"))["error"]
    path = Path(lives.plan({}))
    path.write_bytes(Plan.from_json(path.read_bytes())._replace(program=["/nowhere/python"]).to_json())
    assert "/nowhere/python" in lives.ask(str(path))["error"]
    assert set(lives.notes()) == {"1 zygote up", "1 control up", "1 gateway up"}


def test_a_request_that_makes_no_sense_is_logged(start: Callable[..., Lives]) -> None:
    lives = start()
    (lives.run_dir / "upgrade.json").write_text("{")
    lives.process.send_signal(signal.SIGUSR2)
    eventually(lambda: "the request cannot be read" in lives.text())
    assert lives.process.poll() is None


def test_one_that_leaves_gets_a_successor_at_once_and_is_not_started_again(start: Callable[..., Lives]) -> None:
    leaves = NOTE + 'trap "note $0 gone; exit 0" USR2; '
    leaves += 'trap "echo \\"{\\\\\\"leaving\\\\\\": \\\\\\"yes\\\\\\"}\\" >/dev/fd/$1" TERM; '
    leaves += 'note $0 up; echo "{}" >/dev/fd/$1; while :; do sleep 0.02; done'
    lives = start(gateway=leaves)
    children_of = Path(f"/proc/{lives.process.pid}/task/{lives.process.pid}/children")
    before = set(children_of.read_text().split())
    (gateway,) = [pid for pid in before if b"\0gateway\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(gateway), signal.SIGTERM)
    eventually(lambda: lives.notes().count("1 gateway up") == 2)
    assert set(children_of.read_text().split()) > before
    os.kill(int(gateway), signal.SIGUSR2)
    eventually(lambda: not Path(f"/proc/{gateway}").exists())
    assert lives.notes()[-1] == "1 gateway gone"
    assert len(children_of.read_text().split()) == len(before)


def test_a_handover_of_another_version_is_read_as_far_as_we_know_it() -> None:
    handover = Handover("/plan", ["python"], "0.1.0", 1, 4, [])
    told = json.loads(handover.to_json()) | {"invented": "later"}
    told["processes"] = [{"name": "gw0", "pid": 7, "slot": 0, "stage": 0, "stop_s": 3.0, "invented": "later"}]
    read = Handover.from_json(json.dumps(told).encode())
    assert (read.generation, read.processes[0].pid) == (4, 7)


def test_a_report_to_nobody_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    reporter = Reporter(writer, overlaps=True)
    reporter.ready()
    reporter.leaving()
    reporter.leaving()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)


def test_what_the_old_ones_say_is_still_read_after_the_change(start: Callable[..., Lives], tmp_path: Path) -> None:
    lingers = WORKS.replace(
        "note $0 told; exit 0", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo last; exit 0"
    )
    lives = start(gateway=lingers)
    lives.ask(lives.plan({}))
    (tmp_path / "go").touch()
    eventually(lambda: "last\n" in lives.text())
    kept = [json.loads(line) for line in (tmp_path / "log" / "parts.jsonl").read_text().splitlines()]
    assert ("gateway", "last") in {(line["process"], line["message"]) for line in kept}
