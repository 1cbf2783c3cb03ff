"""What the platform's parts say, over HTTP: for its administrators alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("", ["line 0", "line 1", "line 2"]),
        ("?tail=1", ["line 2"]),
        ("?tail=-1", ["line 0", "line 1", "line 2"]),
        ("?tail=1&follow=true", ["line 2", "new"]),
    ],
)
def test_lines_of_a_part_are_sent(play: Play, query: str, texts: list[str]) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("GET", f"/v1/machine/logs/control{query}")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
        assert [json.loads(line)["text"] for line in answer.body.splitlines()] == texts

    play(story)


def test_a_part_that_is_not_there_is_not_found(play: Play) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("GET", "/v1/machine/logs/nobody")
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
        assert (await stage.ask("GET", "/v1/machine/logs/control?tail=x")).status == 400

    play(story)
