"""That the judgement of runs can go red: files as they are, and doctored ones."""

from typing import Any

import msgspec
import pytest
from chaos.scenarios import flows
from chaos.scenarios.flows import Entry

LINE = "step r first 1 {}"
RESULT = {"last": 16, "right": 2, "each": [2, 4, 6]}


class Files:
    """What a platform has on its disk of one run, numbered 1."""

    def __init__(self, **changes: Any) -> None:
        self.result: Any = RESULT
        self.state = "done"
        self.ran = [90]
        self.ended = ["first", "end"]
        vars(self).update(changes)

    def query(self, sql: str, *_: object, file: str) -> list[tuple[Any, ...]]:
        if "logs" in file:
            return [(LINE.format(at),) for at in self.ran]
        assert "finish" in sql
        return [("r", self.state, msgspec.json.encode({"result": self.result}).decode())]

    def found(self) -> dict[tuple[str, int], Entry]:
        told = ({"type": "ended", "path": path} for path in self.ended)
        return {("r", number): Entry(100, each) for number, each in enumerate(told)}


def broken(files: Any, twice: list[str] | None = None) -> list[str]:
    promises = flows._judged(files, {"r": 1}, twice or [], files.found())
    return [promise.what for promise in promises if not promise.kept]


def test_what_is_right_is_kept() -> None:
    assert broken(Files()) == []
    assert broken(Files(ran=[90, 95])) == [], "at least once, as long as it has no result"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"result": {**RESULT, "last": 15}}, "every run comes to what its functions made of its input"),
        ({"state": "failed"}, "every run comes to what its functions made of its input"),
        ({"ended": ["first", "end", "first"]}, "no step has two results"),
        ({"ran": [90, 101]}, "no step is called that has its result"),
    ],
)
def test_what_is_wrong_is_broken(changes: dict[str, Any], what: str) -> None:
    assert broken(Files(**changes)) == [what]


def test_a_key_that_came_to_two_runs_is_told() -> None:
    assert broken(Files(), ["1: ['a', 'b']"]) == ["one key is one run"]
