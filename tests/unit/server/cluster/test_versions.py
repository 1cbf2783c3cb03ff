"""A control plane looks at the cluster's version and at our kinds before it works, and says what is wrong with them."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.server import Double

from dayfly import __version__
from dayfly.cluster.connection import Connection
from dayfly.cluster.schema import crds
from dayfly.model.errors import ConfigError
from dayfly.server.cluster import control, versions
from dayfly.server.cluster.health import Health
from dayfly.server.cluster.versions import VERSION
from dayfly.storage.kubernetes import patience


def defined(version: str = __version__) -> list[dict[str, Any]]:
    """Return our kinds as an installation of this version writes them."""
    kinds = crds()
    for kind in kinds:
        kind["metadata"] = {**kind["metadata"], "labels": {**kind["metadata"]["labels"], VERSION: version}}
    return kinds


def asked(double: Double) -> list[str]:
    config = KubeConfig.from_dict(double.kubeconfig()).get()
    assert config is not None

    async def main() -> list[str]:
        async with Connection(config) as api:
            return await versions.check(api)

    return asyncio.run(main())


def test_what_is_as_it_should_be_is_not_told_of() -> None:
    with Double() as double:
        double.define(defined())
        assert asked(double) == []
        double.version = {"major": "1", "minor": "36+"}
        assert asked(double) == []


def test_what_is_odd_is_told_in_a_sentence() -> None:
    with Double() as double:
        double.define([*defined()[1:], *defined("0.1.0")[:1]])
        double.version = {"major": "1", "minor": "40"}
        newer, kinds = asked(double)
    assert newer == "The cluster runs Kubernetes 1.40; this version of Dayfly was tested up to 1.37."
    assert f"are of Dayfly 0.1.0, and this control plane is of {__version__}" in kinds


def test_what_cannot_be_worked_with_is_refused() -> None:
    with Double() as double:
        double.define(defined()[1:])
        with pytest.raises(ConfigError, match=r"does not serve functions of dayfly\.dev/v1"):
            asked(double)
        (old,) = defined()[:1]
        old["spec"]["versions"] = [{**each, "served": each["name"] != "v1"} for each in old["spec"]["versions"]]
        double.define([old])
        with pytest.raises(ConfigError, match=r"does not serve functions of dayfly\.dev/v1"):
            asked(double)
        double.version = {"major": "1", "minor": "29"}
        with pytest.raises(ConfigError, match=r"Kubernetes 1\.29; this version of Dayfly needs 1\.33"):
            asked(double)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start a control plane in a cluster; return whether it was ever ready, and had the Lease to contend for."""

    def run(double: Double) -> bool:
        config = KubeConfig.from_dict(double.kubeconfig()).get()
        monkeypatch.setattr(control, "from_service_account", lambda: config)
        monkeypatch.setattr(Health, "start", nothing)
        monkeypatch.setattr(control, "_work", nothing)
        pod: Any = SimpleNamespace(namespace="default", name="control-1", bounds=(), anywhere="0.0.0.0")  # noqa: S104 - as a pod
        asyncio.run(asyncio.wait_for(control._run(pod, pod), 60))
        return double.objects("leases") != []

    async def nothing(*_: Any, **__: Any) -> None:
        pass

    return run


def test_a_control_plane_that_cannot_work_there_takes_no_lease(started: Any) -> None:
    with Double() as double:
        double.define(defined())
        double.version = {"major": "1", "minor": "29"}
        with pytest.raises(ConfigError, match=r"needs 1\.33"):
            started(double)
        assert double.objects("leases") == []


def test_a_control_plane_waits_for_the_answer_and_logs_what_is_odd(
    started: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "WAIT_S", 0.02)
    with Double() as double, caplog.at_level(logging.WARNING):
        double.define(defined("0.1.0"))
        away = double.fail(503, path="/version", times=2)
        assert started(double)
        assert away.hit == 2
    assert "are of Dayfly 0.1.0" in caplog.text
