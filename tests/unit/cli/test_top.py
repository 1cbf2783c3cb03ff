"""`dayfly top` where it is printed once; what a terminal is shown is in test_live and the system tests."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.unit.cli.test_rates import function, look, replica

from dayfly.cli.top import _watch
from dayfly.client.blocking import Client
from dayfly.client.gateway import Target

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.cli.top._ONCE_S", 0.0)


def looks(platform: Any) -> None:
    quiet = function("quiet", state="idle", ready_replicas=0, desired_replicas=0, replicas=(), memory_bytes=0, exits={})
    one = function("one", replicas=(replica("a", 1.0), replica("b", 0.0)))
    platform.usages = [
        look(10.0, one, quiet, function("two", memory_bytes=500)),
        look(
            11.0,
            function("one", calls=30, latencies=(30, 0, 0, 0), replicas=(replica("a", 1.1), replica("b", 0.2))),
            quiet,
            function("two", calls=11, memory_bytes=500, replicas=(replica("c", 1.9),)),
        ),
    ]


def test_functions_by_what_they_use_and_below_each_its_replicas(dayfly: Run, platform: Any) -> None:
    looks(platform)
    done = dayfly("top")
    assert done.exit_code == 0, done.stderr
    head, *rows = [line.split() for line in done.stdout.splitlines()]
    assert head[:5] == ["FUNCTION", "STATE", "READY", "CPU", "MEMORY"]
    assert [row[0] for row in rows] == ["two", "c", "one", "a", "b", "quiet"]
    assert rows[2] == ["one", "ready", "1/1", "30.0%", "100", "20.0", "0.0", "2", "3", "<10ms", "<10ms", "3"]
    assert rows[3][:4] == ["a", "ready,", "revision", "1,"]
    assert rows[3][-2:] == ["10.0%", "100"]
    assert rows[5] == ["quiet", "idle", "0/0", "0.0%", "0", "0.0", "0.0", "2", "3", "-", "-", "0"]
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("cpu", ["two", "one", "quiet"]),
        ("memory", ["two", "one", "quiet"]),
        ("calls", ["one", "two", "quiet"]),
        ("name", ["one", "quiet", "two"]),
    ],
)
def test_the_order(dayfly: Run, platform: Any, sort: str, names: list[str]) -> None:
    looks(platform)
    assert dayfly("top", "--once", "--sort", sort, "-o", "name").stdout.split() == names


def test_for_programs(dayfly: Run, platform: Any) -> None:
    looks(platform)
    (one,) = json.loads(dayfly("top", "one", "-o", "json").stdout)
    assert (one["name"], one["calls_per_s"], one["replicas"][1]["id"]) == ("one", 20.0, "b")
    assert one["cpu_percent"] == pytest.approx(30.0)


def test_one_function_of_another_namespace_and_one_that_is_not_there(dayfly: Run, platform: Any) -> None:
    looks(platform)
    assert dayfly("top", "one.team-a", "-o", "name").stdout == "one\n"
    assert platform.requests[-1].url.path == "/v1/namespaces/team-a/usage"
    looks(platform)
    done = dayfly("top", "nobody")
    assert (done.exit_code, done.stdout) == (66, "")
    assert "no function nobody" in done.stderr


class Screen:
    """Takes the terminal's place: what was drawn, and what wakes the one who waits."""

    drawn: list[list[str]]
    wakes: list[str]

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def draw(self, lines: list[str]) -> None:
        self.drawn.append(lines)

    def wait(self, _seconds: float) -> str:
        return self.wakes.pop(0)


def test_on_a_terminal_it_goes_on_also_while_the_platform_is_away(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks(platform)
    Screen.drawn, Screen.wakes = [], ["time", "size", "time", "time", "quit"]
    monkeypatch.setattr("dayfly.cli.live.Live", Screen)
    away = [False, False, True, False]

    def answer(request: httpx2.Request) -> httpx2.Response:
        reply: httpx2.Response = platform(request)
        return httpx2.Response(503, text="away for a moment") if away.pop(0) else reply

    with Client(target=Target("http://127.0.0.1:1"), transport=httpx2.MockTransport(answer)) as client:
        _watch(client, "", "", "cpu", 2.0)
    first, second, again, troubled, well = Screen.drawn
    assert "http://127.0.0.1:1  openfaas-fn  3 functions, 3 replicas, CPU 0%, 600" in first[0]
    assert first[3].split()[3] == "-", "one look makes no rate"
    assert (second[3].split()[0], second[3].split()[3]) == ("two", "190.0%")
    assert again == second
    assert troubled[1] == "What follows is old: away for a moment"
    assert troubled[2:] == second[2:]
    assert well[1] == ""


def test_a_span_that_is_none_is_refused(dayfly: Run, platform: Any) -> None:
    assert dayfly("top", "--interval", "often").exit_code == 64
    assert platform.requests == []
