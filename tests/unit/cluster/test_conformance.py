"""The double answers one script as a real API server of Kubernetes 1.36.2 did; `make test-cluster` asks a real one."""

from __future__ import annotations

import json

from lightkube.config.kubeconfig import KubeConfig
from tests.cluster import conformance
from tests.cluster.server import Double


def test_the_double_answers_as_a_real_api_server() -> None:
    with Double() as double:
        config = KubeConfig.from_dict(double.kubeconfig()).get()
        assert config is not None
        api = conformance.Api(config)
        try:
            with conformance.prepared(api):
                found = conformance.told(api)
        finally:
            api.close()
    assert found == json.loads(conformance.GOLDEN.read_text())
