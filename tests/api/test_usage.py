"""What functions do and use, as the API tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dayfly.model.table import LATENCY_BUCKETS_S, FunctionLoad, Load
from dayfly.model.usage import Usage

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

PATH = "/v1/namespaces/openfaas-fn/usage"


def test_a_namespaces_functions_and_no_others(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for name in ("zebra", "ant"):
            await stage.deploy(name)
        await stage.deploy("other", namespace="team-a")
        first, second = [0] * 12, [0] * 12
        first[0], second[11] = 3, 2
        codes = {200: (3, 0.1, tuple(first)), 503: (2, 60.0, tuple(second))}
        stage.meter.merge("gw0", "a", Load((FunctionLoad("ant.openfaas-fn", 4, 5, 6, codes),)))
        found = msgspec.json.decode((await stage.ask("GET", PATH)).body, type=Usage)
        ant, zebra = found.functions
        assert (ant.name, zebra.name) == ("ant", "zebra")
        assert found.bounds_s == LATENCY_BUCKETS_S
        assert (ant.calls, ant.failed, ant.inflight, ant.waiting) == (5, 2, 4, 5)
        assert ant.latencies == (3, *[0] * 10, 2)
        assert ant.replicas[0].cpu_s == 0.5
        assert (zebra.calls, zebra.latencies) == (0, (0,) * 12)
        later = msgspec.json.decode((await stage.ask("GET", PATH)).body, type=Usage)
        assert later.at_s > found.at_s

    play(story)


def test_a_name_that_is_none_is_refused(play: Play) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("GET", "/v1/namespaces/A_B/usage")).status == 400

    play(story)
