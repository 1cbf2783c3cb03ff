"""What may be said of an installation, and what is refused."""

from typing import Any

import pytest

from dayfly.model.errors import ConfigError
from dayfly.server.cluster.install.values import Values, decode


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"service": {"type": "LoadBalancer"}}, "without encryption"),
        ({"service": {"type": "NodePort"}}, "without encryption"),
        ({"functions": {"namespaces": ["dayfly"]}}, "where the platform itself is"),
        ({"functions": {"namespaces": ["a", "a"]}}, "twice"),
        ({"functions": {"namespace": "openfaas-fn"}}, "twice"),
        ({"ingress": {"enabled": True}}, "ingress.host"),
        ({"httpRoute": {"enabled": True, "host": "a.example.com"}}, "httpRoute.gateway"),
        ({"ingress": {"enabled": True, "host": "a.b"}, "tls": {"secret": "a"}}, "send them plain HTTP"),
        (
            {"httpRoute": {"enabled": True, "host": "a.b", "gateway": "a"}, "tls": {"secret": "a"}},
            "send them plain HTTP",
        ),
        ({"functions": {"everywhere": False, "namespaces": ["team-a"]}}, "takes openfaas-fn among"),
        ({"queue": {"nodes": 2}}, r"queue\.nodes"),
        ({"observer": {"storage": "1Gi"}, "control": {"replicas": 2}}, "held by one control plane"),
        ({"namespace": "No"}, r"\$\.namespace"),
        ({"pool": {"size": -1}}, r"pool\.size"),
        ({"pool": {"resources": {"memory": "64"}}}, r"pool\.resources\.memory"),
        ({"imag": {}}, "imag"),
        ({"settings": [{"name": "DAYFLY_DATA_DIR", "value": "/x"}]}, r"settings\[0\]\.name"),
        ({"settings": [{"name": "DAYFLY_RECORDS", "value": "keep=soon"}]}, "DAYFLY_RECORDS"),
        ({"settings": [{"name": "DAYFLY_OTLP_ENDPOINT", "value": "collector"}]}, "DAYFLY_OTLP_ENDPOINT"),
        ({"settings": 2 * [{"name": "DAYFLY_LOG_LEVEL", "value": "debug"}]}, "twice"),
        ({"image": {"reference": "a b"}}, r"image\.reference"),
        ([], "mapping"),
    ],
)
def test_what_nobody_can_have_wanted_is_refused(given: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        decode(given)


def test_text_means_what_it_says() -> None:
    found = decode({"pool": {"size": "8"}, "crds": "false", "queue": {"nodes": "3"}})
    assert (found.pool.size, found.crds, found.queue.nodes) == (8, False, 3)
    assert decode(None) == Values()


def test_what_is_not_said_of_a_part_is_the_parts_own_default() -> None:
    told = decode({"control": {"resources": {"cpuLimit": ""}}}).control.resources
    assert (told.cpu_limit, told.memory) == ("", Values().control.resources.memory)
    assert told.memory != Values().gateway.resources.memory
