"""When a schedule would be due, asked before it is kept: what is none is an answer as well."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage


async def due(stage: Stage, **asked: str) -> Any:
    answer = await stage.ask("GET", f"/v1/schedule?{urlencode(asked)}")
    assert answer.status == 200
    return answer.json()


def test_the_next_moments_are_told_as_the_zone_has_them(play: Play) -> None:
    async def story(stage: Stage) -> None:
        found = await due(stage, schedule="30 6 * * MON-FRI", timezone="Asia/Kolkata", count="3")
        moments = [datetime.datetime.fromtimestamp(at / 1000, datetime.UTC) for at in found["next_unix_ms"]]
        assert found["trouble"] == ""
        assert [(each.hour, each.minute) for each in moments] == [(1, 0)] * 3
        assert moments == sorted(set(moments))
        assert all(each.weekday() < 5 for each in moments)
        assert len((await due(stage, schedule="@every 90s"))["next_unix_ms"]) == 5

    play(story)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"schedule": ""}, "schedule: "),
        ({"schedule": "soon"}, "schedule: "),
        ({"schedule": "0 0 31 2 *"}, "schedule: "),
        ({"schedule": "@daily", "timezone": "Mars/Base"}, "timezone: "),
        ({"schedule": "x" * 5000}, "schedule: "),
    ],
)
def test_what_is_no_schedule_is_told_and_not_refused(play: Play, asked: dict[str, str], says: str) -> None:
    async def story(stage: Stage) -> None:
        found = await due(stage, **asked)
        assert found["next_unix_ms"] == []
        assert says in found["trouble"]

    play(story)


def test_no_more_moments_than_somebody_reads_are_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for count in ("0", "21", "-1", "x"):
            assert (await stage.ask("GET", f"/v1/schedule?schedule=@daily&count={count}")).status == 400

    play(story)
