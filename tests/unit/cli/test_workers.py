"""The same work on many functions, some at a time."""

import threading

import click
import pytest

from dayfly.cli.workers import each
from dayfly.model.errors import BuildFailed, InvalidSpec, NotFound, Unauthenticated, Unavailable

NAMES = [f"f{at}" for at in range(6)]


@pytest.mark.parametrize("parallel", [1, 3, 9])
def test_results_come_in_the_order_of_the_items(parallel: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert each(NAMES, str.upper, name=str, failed="to shout", parallel=parallel) == [name.upper() for name in NAMES]
    assert capsys.readouterr() == ("", "")


def test_as_many_work_at_a_time_as_were_asked_for() -> None:
    together = threading.Barrier(3, timeout=30)
    each(NAMES, lambda _: together.wait(), name=str, failed="to meet", parallel=3)


def test_what_is_done_is_told_as_faas_cli_does(capsys: pytest.CaptureFixture[str]) -> None:
    each(["a"], str.upper, name=str, failed="to build", doing="Building")
    first, last, over = capsys.readouterr().out.splitlines()
    assert first == "[0] > Building a."
    assert last.startswith("[0] < Building a done in 0.")
    assert over == "[0] Worker done."
    each(NAMES, str.upper, name=str, failed="to build", doing="Building", parallel=2)
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line for line in lines if "Worker" in line) == ["[0] Worker done.", "[1] Worker done."]
    assert sorted(line.split()[3].rstrip(".") for line in lines if "> Building" in line) == NAMES


@pytest.mark.parametrize("parallel", [1, 4])
def test_one_that_fails_keeps_no_other(parallel: int, capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def work(name: str) -> None:
        if name in ("f1", "f4"):
            raise InvalidSpec("not like this", hint="do that") if name == "f1" else NotFound("where")
        done.append(name)

    with pytest.raises(InvalidSpec, match="2 of 6 functions failed to build: f1, f4"):
        each(NAMES, work, name=str, failed="to build", parallel=parallel)
    assert sorted(done) == ["f0", "f2", "f3", "f5"]
    assert sorted(capsys.readouterr().err.splitlines()) == ["do that", "f1: not like this", "f4: where"]


def test_the_only_one_fails_with_its_own_error() -> None:
    def work(_: str) -> None:
        raise BuildFailed("no")

    with pytest.raises(BuildFailed, match=r"^no$"):
        each(["a"], work, name=str, failed="to build", parallel=3)


@pytest.mark.parametrize("kind", [Unauthenticated, Unavailable])
@pytest.mark.parametrize("parallel", [1, 2])
def test_what_cannot_get_better_ends_it(kind: type[Unavailable], parallel: int) -> None:
    tried: list[str] = []

    def work(name: str) -> None:
        tried.append(name)
        raise kind("gone")

    with pytest.raises(kind, match="gone"):
        each(NAMES, work, name=str, failed="to build", parallel=parallel)
    assert len(tried) <= parallel


def test_workers_have_the_commands_own_context() -> None:
    with click.Context(click.Command("x"), obj="session"):
        found = each(NAMES, lambda _: click.get_current_context().obj, name=str, failed="", parallel=2)
    assert found == ["session"] * len(NAMES)
