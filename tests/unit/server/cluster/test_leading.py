"""Which control plane the Service finds: the one that works, and none that has not said that it works no more."""

from __future__ import annotations

import asyncio

from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.server import Double

from dayfly.cluster.connection import Connection
from dayfly.server.cluster.leading import lead, resign
from dayfly.server.cluster.names import LEADER_LABEL


def _marked(double: Double) -> set[str]:
    pods = double.objects("pods", "dayfly")
    return {pod["metadata"]["name"] for pod in pods if pod["metadata"].get("labels", {}).get(LEADER_LABEL) == "true"}


def test_one_that_was_lost_is_found_no_more_once_another_works(double: Double) -> None:
    async def main() -> None:
        config = KubeConfig.from_dict(double.kubeconfig()).get()
        assert config is not None
        async with Connection(config) as api:
            for name in ("first", "second", "third"):
                double.create("pods", "dayfly", {"metadata": {"name": name}, "spec": {"containers": []}})
            await lead(api, "dayfly", "first")
            assert _marked(double) == {"first"}
            fault = double.fail(404, method="PATCH", path="/pods/first")
            await lead(api, "dayfly", "second")
            assert (fault.hit, _marked(double)) == (1, {"first", "second"}), "one that cannot be marked stops nobody"
            await lead(api, "dayfly", "third")
            assert _marked(double) == {"third"}
            await resign(api, "dayfly", "third")
            await resign(api, "dayfly", "nobody")
            assert not _marked(double)

    asyncio.run(main())
