"""Alerts that fired are kept with when and until when, over lives of the control plane and of their rules."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.observe.alerts.test_life import World

from dayfly.model.alert import Alert, AlertRule
from dayfly.model.errors import StoreUnavailable
from dayfly.model.past_alert import PastAlert, PastAlertQuery
from dayfly.observe.alerts import past_alerts
from dayfly.observe.alerts.past_alerts import KEPT_MS, AlertFile, PastAlerts

Story = Callable[[PastAlerts], Awaitable[None]]
NOW = 1_700_000_000_000


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Story], None]:
    """Play a story on a log of alerts."""

    def run(story: Story) -> None:
        async def main() -> None:
            past = PastAlerts(AlertFile(tmp_path / "alerts.db"))
            await past.open()
            try:
                await story(past)
            finally:
                await past.close()

        asyncio.run(main())

    return run


def an_alert(name: str, fired: int = NOW, **fields: Any) -> Alert:
    """Return an alert that fires."""
    given = {
        "rule": "errors", "namespace": "team", "kind": "error_rate", "severity": "critical", "value": 0.5,
        "labels": {"alertname": "errors", "function": name}, "text": f"calls of {name} that failed",
        "state": "resolved" if fields.get("resolved_unix_ms") else "firing", "pending_unix_ms": fired, **fields,
    }  # fmt: skip
    return Alert(id=name, fired_unix_ms=fired, **given)


async def names(past: PastAlerts, **wanted: Any) -> list[str]:
    return [each.id for each in await past.find(PastAlertQuery(**wanted))]


def test_an_alert_is_kept_as_it_was_when_it_began(play: Callable[[Story], None]) -> None:
    async def story(past: PastAlerts) -> None:
        await past.note([an_alert("a")], NOW)
        await past.note([an_alert("a", value=0.01, text="well again", resolved_unix_ms=NOW + 60_000)], NOW + 60_000)
        (found,) = await past.find(PastAlertQuery())
        assert found == PastAlert(
            number=1, id="a", rule="errors", namespace="team", severity="critical", state="resolved",
            labels={"alertname": "errors", "function": "a"}, value=0.5, text="calls of a that failed",
            fired_unix_ms=NOW, resolved_unix_ms=NOW + 60_000,
        )  # fmt: skip
        await past.note([an_alert("a", NOW + 90_000)], NOW + 90_000)
        assert [each.state for each in await past.find(PastAlertQuery())] == ["firing", "resolved"], "it fires again"

    play(story)


def test_alerts_are_found_by_what_they_are_about(play: Callable[[Story], None]) -> None:
    async def story(past: PastAlerts) -> None:
        theirs = {"rule": "incoming", "labels": {"alertname": "NodeDown"}, "namespace": ""}
        alerts = [an_alert("a", NOW, resolved_unix_ms=NOW + 10), an_alert("b", NOW + 5), an_alert("c", NOW, **theirs)]
        await past.note(alerts, NOW)
        assert await names(past) == ["c", "b", "a"]
        assert await names(past, namespace="team") == ["b", "a"]
        assert await names(past, namespace="other") == []
        assert await names(past, rule="errors") == ["b", "a"]
        assert await names(past, rule="NodeDown") == await names(past, rule="incoming") == ["c"]
        assert await names(past, since_unix_ms=NOW + 11) == ["c", "b"], "what fires still has fired since"
        assert await names(past, until_unix_ms=NOW + 5) == ["c", "a"]
        (page,) = await past.find(PastAlertQuery(limit=1))
        assert await names(past, before=page.number) == ["b", "a"]
        await past.forget("team")
        assert await names(past) == ["c"]

    play(story)


def test_what_is_too_old_or_too_much_goes(play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_alerts, "MAX_ROWS", 3)

    async def story(past: PastAlerts) -> None:
        await past.note([an_alert("old"), an_alert("young", NOW + 10)], NOW)
        await past.note([], NOW + KEPT_MS + 5)
        assert await names(past) == ["young"]
        await past.note([an_alert(name, NOW + at) for at, name in enumerate(("c", "a", "d", "b"), 20)], NOW)
        assert await names(past) == ["b", "d", "a"]

    play(story)


def test_a_file_of_before_is_read_on(play: Callable[[Story], None], tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "alerts.db")
    old.executescript(past_alerts._SCHEMA)
    row = ("a", NOW - 1, 0, "team", "errors", "warning", "it failed")
    old.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    old.commit()
    old.close()

    async def story(past: PastAlerts) -> None:
        (found,) = await past.find(PastAlertQuery())
        assert (found.rule, found.labels, found.value, found.text) == ("errors", {}, 0.0, "it failed")
        await past.note([an_alert("b")], NOW)
        assert await names(past) == ["b", "a"]

    play(story)


def test_a_life_that_begins_ends_what_nobody_saw_end(play: Callable[[Story], None]) -> None:
    """Whether its end was found and not written down, or what was found is gone with it."""

    async def story(past: PastAlerts) -> None:
        world = World()
        first = world.begin()
        first.watch.note = past.note
        await first.open()
        world.dead = 1
        await first.look()
        assert [each.state for each in await past.find(PastAlertQuery())] == ["firing"]

        async def lost(alerts: list[Alert], now_ms: int, *, all_there_are: bool = False) -> None:
            """Be killed before it is written."""
            del alerts, now_ms, all_there_are

        first.watch.note = lost
        world.dead = 0
        await first.look(20)
        ended = world.clock.unix_ms()
        world.clock.advance(86_400)
        second = world.begin()
        second.watch.note = past.note
        await second.open()
        (found,) = await past.find(PastAlertQuery())
        assert (found.state, found.resolved_unix_ms) == ("resolved", ended)

        world.dead = 1
        await second.look(20)
        await world.store.keep("found", dict.fromkeys(await world.store.kept("found")))
        world.clock.advance(60)
        third = world.begin()
        third.watch.note = past.note
        await third.open()
        assert [each.resolved_unix_ms for each in await past.find(PastAlertQuery())] == [
            world.clock.unix_ms(), ended,
        ]  # fmt: skip
        await third.look(20)
        assert (await past.find(PastAlertQuery()))[0].state == "firing"
        fourth = world.begin()
        fourth.watch.note = past.note
        await fourth.open()
        assert (await past.find(PastAlertQuery()))[0].state == "firing", "what fires on goes on"

    play(story)


def test_what_cannot_be_written_is_told_and_ends_nothing(
    play: Callable[[Story], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(past: PastAlerts) -> None:
        world = World()
        life = world.begin()
        life.watch.note = past.note
        await life.open()
        await life.book.put_rule(AlertRule(name="full", kind="disk", threshold=0.05))
        writer = past._file._writer
        assert writer is not None
        writer.execute("PRAGMA query_only = ON")
        await life.look()
        assert "full" in {each.rule for each in life.watch.listed(None)}
        assert "missing from the log of alerts" in caplog.text
        with pytest.raises(StoreUnavailable):
            await past.forget("team")

    play(story)
