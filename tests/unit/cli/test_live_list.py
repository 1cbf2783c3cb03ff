"""`dayfly list --follow`: each change is a line, or JSON; on a terminal the table stays where it is."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from dayfly.cli import live_list
from dayfly.cli.live_list import table
from dayfly.model.errors import Unavailable
from dayfly.model.glance import Glance, GlanceNews

Run = Callable[..., Any]


def a_glance(name: str = "hello", **fields: Any) -> Glance:
    """Return what a list shows of a function."""
    given = {
        "namespace": "openfaas-fn", "state": "ready", "reason": "", "replicas": 1, "desired_replicas": 2,
        "calls_total": 1234, "error_rate": 0.125, "spark": (0, 4, 8), "updated_unix_ms": 1, **fields,
    }  # fmt: skip
    return Glance(name=name, **given)


NEWS = [
    GlanceNews(namespaces=("openfaas-fn",), functions=(a_glance(), a_glance("ant", calls_total=5, spark=()))),
    GlanceNews(namespaces=("openfaas-fn",), functions=(a_glance(state="failing", reason="it fell over"),)),
    GlanceNews(namespaces=("openfaas-fn",), gone=(("openfaas-fn", "ant"),)),
]


@pytest.fixture
def live(platform: Any) -> list[str]:
    """What was asked of the platform's list, which tells the news and ends."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.raw_path.decode())
        events = [b"event: functions\ndata: %b\n\n" % msgspec.json.encode(each) for each in NEWS]
        return httpx2.Response(200, content=b": alive\n\n".join(events))

    platform.live = answer
    return asked


def cells(line: str) -> list[str]:
    return [field.strip() for field in line.split("\t")]


def test_each_change_is_a_line(dayfly: Run, live: list[str]) -> None:
    head, first, ant, failing, gone = map(cells, dayfly("list", "--follow").stdout.splitlines())
    assert head == ["FUNCTION", "STATE", "READY", "CALLS", "ERRORS", "LAST HALF HOUR", "REASON"]
    assert first == ["hello", "ready", "1/2", "1,234", "12.5%", "▁▅█"]
    assert (ant[0], ant[3]) == ("ant", "5")
    assert (failing[1], failing[-1]) == ("failing", "it fell over")
    assert gone == ["ant", "gone"]
    assert live == ["/v1/functions/live?namespace=openfaas-fn"]


def test_programs_get_what_the_api_tells(dayfly: Run, live: list[str]) -> None:
    told = [json.loads(line) for line in dayfly("list", "--follow", "-o", "json", "-n", "team").stdout.splitlines()]
    assert [msgspec.convert(each, GlanceNews) for each in told] == NEWS
    assert live == ["/v1/functions/live?namespace=team"]
    for wrong in (("-v",), ("-q",), ("--json",), ("-o", "yaml"), ("-o", "name")):
        assert dayfly("list", "--follow", *wrong).exit_code == 64, wrong
    assert len(live) == 1


@pytest.mark.parametrize(
    ("sort", "names"), [("name", ["a", "b", "c"]), ("invocations", ["b", "c", "a"]), ("creation", ["c", "a", "b"])]
)
def test_the_order(sort: str, names: list[str]) -> None:
    known = [
        a_glance("b", calls_total=9, updated_unix_ms=3), a_glance("a", calls_total=1, updated_unix_ms=2),
        a_glance("c", calls_total=5, updated_unix_ms=1, canary=True, error_rate=None),
    ]  # fmt: skip
    rows = table(known, sort).splitlines()[1:]
    assert [row.split()[0] for row in rows] == names
    (canary,) = [row for row in rows if row.startswith("c ")]
    assert canary.split()[1:6] == ["ready,", "canary", "1/2", "5", "-"]


class Screen:
    """Takes the terminal's place: `steps` happen one after the other while it waits."""

    drawn: list[list[str]]
    steps: list[Callable[[], str]]

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def draw(self, lines: list[str]) -> None:
        self.drawn.append(lines)

    def wait(self, _seconds: float) -> str:
        return self.steps.pop(0)()


def test_on_a_terminal_the_table_changes_until_q(monkeypatch: pytest.MonkeyPatch) -> None:
    told, turn = threading.Semaphore(0), threading.Semaphore(0)

    def stream() -> Iterator[GlanceNews]:
        for news in NEWS:
            turn.acquire()
            yield news
            told.release()
        turn.acquire()
        raise Unavailable("the gateway went away")

    def tell() -> str:
        turn.release()
        told.acquire()
        return "time"

    Screen.drawn, Screen.steps = [], [tell, tell, tell, lambda: "quit"]
    monkeypatch.setattr("dayfly.cli.live.Live", Screen)
    live_list._draw("http://g  ns", stream(), "name")
    assert [lines[0] for lines in Screen.drawn] == [
        "http://g  ns  2 functions  q ends it", "http://g  ns  2 functions  q ends it",
        "http://g  ns  1 functions  q ends it",
    ]  # fmt: skip
    assert [line.split()[0] for line in Screen.drawn[0][2:]] == ["FUNCTION", "ant", "hello"]
    assert "it fell over" in Screen.drawn[1][-1]


def test_a_platform_that_goes_away_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def stream() -> Iterator[GlanceNews]:
        yield NEWS[0]
        raise Unavailable("the gateway went away")

    monkeypatch.setattr("dayfly.cli.live.Live", Screen)
    Screen.drawn, news = [], stream()
    ended = threading.Event()
    read = live_list._News._read

    def reading(self: Any, given: Iterator[GlanceNews]) -> None:
        read(self, given)
        ended.set()

    monkeypatch.setattr(live_list._News, "_read", reading)
    Screen.steps = [lambda: str(ended.wait() and "time")]
    with pytest.raises(Unavailable, match="went away"):
        live_list._draw("g", news, "name")
