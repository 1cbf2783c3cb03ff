"""What is given to the API: valid for its schemas, as Pod Security `restricted` wants it, and without a secret."""

import json
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given, settings
from tests.unit.providers.docker.orders import ORDERS, SECRET, order

from dayfly.model.errors import InvalidSpec, NotSupported
from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import deployments, marks, pool
from dayfly.providers.kubernetes.pool import PoolValues
from dayfly.runtimes.python import secret_files

VALUES = PoolValues(installation="i", image="runtime:1", pull_secrets=("registry",), priority_class="high")
CODE = order(runtime="python", lang="python", image="", memory_bytes=1 << 30, constraints=("disk=ssd",))


def pods() -> list[Any]:
    return [
        pool.deployment(VALUES)["spec"]["template"]["spec"],
        pool.own_pod(VALUES, CODE)["spec"],
        deployments.deployment(VALUES, order(secrets={"token": SECRET}), 1)["spec"]["template"]["spec"],
    ]


@pytest.mark.parametrize("spec", pods())
def test_a_pod_meets_pod_security_restricted_and_has_no_token(spec: Any) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, field by field."""
    assert spec["automountServiceAccountToken"] is False
    assert not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"].get("runAsUser", 1) != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(set(volume) - {"name"} <= {"emptyDir", "secret", "configMap"} for volume in spec["volumes"])
    for container in spec["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["privileged"] is False
        assert not any("hostPort" in port for port in container["ports"])
        assert {"limits", "requests"} <= set(container["resources"])


def test_a_pod_of_the_pool_holds_no_secret_and_cannot_be_written_to() -> None:
    spec = pool.pod_template(VALUES)["spec"]
    assert all("secret" not in volume for volume in spec["volumes"])
    assert "secretKeyRef" not in json.dumps(spec)
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert pool.pod_template(VALUES)["metadata"]["labels"][marks.NETWORK] == "none"


@pytest.mark.parametrize("spec", [pool.pod_template(VALUES)["spec"], pool.own_pod(VALUES, CODE)["spec"]])
def test_a_pod_has_a_place_in_memory_for_its_functions_secrets(spec: Any) -> None:
    (container,) = spec["containers"]
    (place,) = (each["value"] for each in container["env"] if each["name"] == secret_files.OWN)
    assert place == "/var/openfaas/secrets"
    (name,) = (each["name"] for each in container["volumeMounts"] if each["mountPath"] == place)
    (volume,) = (each for each in spec["volumes"] if each["name"] == name)
    assert volume["emptyDir"]["medium"] == "Memory"


def test_what_a_pool_was_made_from_is_read_from_it() -> None:
    much = PoolValues(
        installation="i", image="runtime:1", name="other", size=7, memory="2Gi", memory_request="1Gi", cpu="2",
        cpu_request="1", disk="5Gi", pull_policy="Never", pull_secrets=("a", "b"), node_selector={"disk": "ssd"},
        tolerations=({"key": "faas"},), priority_class="high", account="nobody", agent_port=1, function_port=2,
        command=("x", "y"),
    )  # fmt: skip
    for values in (VALUES, much):
        assert pool.installed(pool.deployment(values), "i", "runtime:1") == values


@settings(deadline=None, max_examples=30)
@given(ORDERS)
def test_an_images_objects_agree_with_each_other_and_tell_no_secret(wanted: StartOrder) -> None:
    made = deployments.deployment(VALUES, wanted, 2)
    assert SECRET.decode() not in json.dumps(made)
    meta = made["spec"]["template"]["metadata"]
    assert made["spec"]["selector"]["matchLabels"].items() <= meta["labels"].items()
    kept = marks.order_in(meta["annotations"], wanted.replica)
    assert kept == wanted.without_contents()


def test_objects_are_what_the_api_takes() -> None:
    image = order(secrets={"token": SECRET}, as_root=True, process="x", cpu_millicores=500, constraints=("a=b",))
    for made in (
        pool.deployment(VALUES), pool.own_pod(VALUES, CODE), deployments.deployment(VALUES, image, 2),
        deployments.secret(VALUES, image),
    ):  # fmt: skip
        kubernetes_validate.validate(made, "1.36", strict=True)


def test_a_pod_of_its_own_has_the_room_and_the_node_that_were_asked_for() -> None:
    made = pool.own_pod(VALUES, CODE)
    resources = made["spec"]["containers"][0]["resources"]
    assert int(resources["limits"]["memory"]) == (1 << 30) + pool.OVERHEAD_BYTES
    assert made["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert made["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("changes", "limits", "requests"),
    [
        ({}, {"memory": str(512 << 20)}, {"memory": str(64 << 20)}),
        ({"memory_bytes": 128 << 20}, {"memory": str(128 << 20)}, {"memory": str(128 << 20)}),
        ({"memory_bytes": 128 << 20, "memory_request_bytes": 1 << 30}, {"memory": str(128 << 20)},
         {"memory": str(128 << 20)}),
        ({"cpu_millicores": 500, "cpu_request_millicores": 100}, {"memory": str(512 << 20), "cpu": "500m"},
         {"memory": str(64 << 20), "cpu": "100m"}),
    ],
)  # fmt: skip
def test_limits_and_requests(changes: Any, limits: Any, requests: Any) -> None:
    assert pool.resources(order(**changes)) == {"limits": limits, "requests": requests}


def test_what_differs_for_the_pods_differs_in_name() -> None:
    one = order(secrets={"token": SECRET}, secret_versions={"token": 1})
    assert deployments.name_of(one) == deployments.name_of(order(secrets={"token": b"x"}, secret_versions={"token": 1}))
    assert deployments.name_of(one) == deployments.name_of(order(replica="q", secret_versions={"token": 1}))
    assert deployments.name_of(one) != deployments.name_of(order(secret_versions={"token": 2}))
    assert deployments.name_of(one) != deployments.name_of(order(env={"A": "1"}, secret_versions={"token": 1}))


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"allow": ("api.example.com",)}, NotSupported, "no egress proxy"),
        ({"secrets": {"x": b"x" * (1 << 20) + b"x"}}, NotSupported, "more than 1 MiB"),
        ({"env": {"X": "x" * 250_000}}, InvalidSpec, "at most 200000"),
        ({"constraints": ("nonsense",)}, InvalidSpec, "must be LABEL=VALUE"),
    ],
)
def test_what_a_pod_of_an_image_cannot_do_is_refused(changes: Any, kind: Any, told: str) -> None:
    with pytest.raises(kind, match=told):
        deployments.check(order(**changes))
    deployments.check(order(network="none", allow=()))
