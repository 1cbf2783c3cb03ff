"""Searching logs by HTTP: what is found, by whom, and what cannot be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.namespace import NamespaceChange
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Play, Stage

SECOND = 1_000_000_000


async def search(stage: Stage, namespace: str = "team", headers: Any = None, **asked: str) -> Answer:
    return await stage.ask("GET", f"/v1/namespaces/{namespace}/logs?{urlencode(asked)}", headers=headers)


def write(stage: Stage) -> None:
    for number in range(5):
        for namespace in ("team", "other"):
            key = parse_function_key(f"gone.{namespace}")
            text = f"{'ERROR' if number == 3 else 'INFO'} order {number} of {namespace}"
            stage.logs.write(LogLine((number + 1) * SECOND, key, ReplicaId("r" * 10), "stdout", "", text))


def test_lines_of_a_function_that_is_gone_are_found_page_by_page(play: Play) -> None:
    async def story(stage: Stage) -> None:
        write(stage)
        answer = await search(stage, search='"order 3"')
        assert answer.status == 200
        (line,) = answer.json()["lines"]
        assert (line["function"], line["level"], line["text"]) == ("gone", "error", "ERROR order 3 of team")
        page = (await search(stage, search="order", limit="2")).json()
        assert [each["text"][-13:] for each in page["lines"]] == ["der 4 of team", "der 3 of team"]
        page = (await search(stage, search="order", limit="10", before=str(page["before"]))).json()
        assert (len(page["lines"]), page["before"]) == (3, 0)
        assert len((await search(stage, until="1970-01-01T00:00:03Z")).json()["lines"]) == 2
        assert len((await search(stage, level="error", function="gone")).json()["lines"]) == 1

    play(story)


def test_a_token_finds_what_is_its_namespaces(play: Play) -> None:
    async def story(stage: Stage) -> None:
        write(stage)
        await stage.namespaces.create(stage.team, NamespaceChange())
        token = (await stage.tokens.issue(stage.team, TokenRequest(role="view"))).token
        bearer = {"authorization": f"Bearer {token}"}
        found = (await search(stage, search="order", headers=bearer)).json()["lines"]
        assert {each["namespace"] for each in found} == {"team"}
        assert (await search(stage, "other", search="order", headers=bearer)).status == 403
        assert (await search(stage, search="other", headers=bearer)).json()["lines"] == []

    play(story)


@pytest.mark.parametrize(
    "asked",
    [
        {"search": '"open'}, {"search": "-a"}, {"search": "x" * 501}, {"level": "loud"}, {"limit": "0"},
        {"limit": "1001"}, {"before": "-1"}, {"since": "yesterday"}, {"function": "No"}, {"stream": "x"},
    ],
)  # fmt: skip
def test_what_cannot_be_searched_for_is_refused(play: Play, asked: dict[str, str]) -> None:
    async def story(stage: Stage) -> None:
        assert (await search(stage, **asked)).status == 400

    play(story)
