"""Which servers have something to give to others, where they are asked, and which must not start."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dayfly.queue import aside
from dayfly.queue.joiner import ACCESS, Joiner
from dayfly.queue.keeper import listening

WORDS = {"password": "p", "system_password": "s"}


class Child:
    """Stands for the program."""

    begun: list["Child"]

    def __init__(self, argv: list[str]) -> None:
        self.argv, self.told = argv, ""
        self.code: int | None = None
        self.begun.append(self)

    def poll(self) -> Any:
        return self.code

    def terminate(self) -> None:
        self.told = "end"

    def wait(self) -> None:
        self.told += "ed"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Child]:
    Child.begun = []
    monkeypatch.setattr(subprocess, "Popen", Child)
    return Child.begun


def config(data: Path, *, among: bool = True) -> str:
    cluster = 'cluster {\n  name: dayfly\n  listen: "0.0.0.0:6222"\n}\n' if among else ""
    return f'listen: "0.0.0.0:4222"\njetstream {{\n  store_dir: "{data}"\n}}\n{cluster}'


@pytest.mark.parametrize(
    ("among", "pod", "gives"), [(True, "q-0", True), (True, "q-1", False), (True, "q-10", False), (False, "q-0", False)]
)
def test_the_first_of_several_gives_what_it_has(
    tmp_path: Path, begun: list[Child], among: bool, pod: str, gives: bool
) -> None:
    (tmp_path / aside.STORE / "CALLS").mkdir(parents=True)
    made = Joiner("nats-server", config(tmp_path, among=among), tmp_path, pod)
    made.put_aside()
    made.look(WORDS)
    assert (tmp_path / aside.ALONE / aside.STORE / "CALLS").exists() == gives
    assert bool(begun) == gives


def test_what_is_of_three_is_not_put_aside_and_does_not_start_alone(tmp_path: Path) -> None:
    (tmp_path / aside.STORE / "SYSTEM/_js_/_meta_").mkdir(parents=True)
    Joiner("nats-server", config(tmp_path), tmp_path, "q-0").put_aside()
    assert aside.is_of_three(tmp_path)
    assert Joiner("nats-server", config(tmp_path), tmp_path, "q-0").refusal == ""
    assert "queue.nodes" in Joiner("nats-server", config(tmp_path, among=False), tmp_path, "q-0").refusal


@pytest.mark.parametrize(("address", "host"), [("10.0.0.7", "127.0.0.1"), ("fd00::7", "[::1]"), ("", "127.0.0.1")])
def test_it_is_begun_again_until_it_is_done_with_the_passwords_of_then(
    tmp_path: Path, begun: list[Child], address: str, host: str
) -> None:
    made = Joiner("nats-server", listening(config(tmp_path), address), tmp_path, "q-0")
    made.look(WORDS)
    made.look(WORDS)
    assert len(begun) == 1
    begun[0].code = 75
    made.look({**WORDS, "password": "other"})
    told = json.loads((tmp_path / ACCESS).read_bytes())
    assert told == {"host": host, "port": 4222, "password": "other", "system_password": "s"}
    begun[1].code = 0
    made.look(WORDS)
    made.look(WORDS)
    assert len(begun) == 2
    assert str(tmp_path / ACCESS) in begun[1].argv


def test_what_is_under_way_ends_with_the_server(tmp_path: Path, begun: list[Child]) -> None:
    made = Joiner("nats-server", config(tmp_path), tmp_path, "q-0")
    made.stop()
    made.look(WORDS)
    made.stop()
    assert [each.told for each in begun] == ["ended"]
