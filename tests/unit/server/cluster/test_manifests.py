"""What an installation consists of: valid for each Kubernetes, harmless, small, and with a reason for each right."""

import base64
import copy
import functools
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from kubernetes_validate import utils
from tests.unit.server.cluster import forbidden
from tests.unit.server.cluster.http_route import HTTP_ROUTE
from tests.unit.server.cluster.making import SETS, find, made, templates, values

from dayfly.model.quantities import parse_memory
from dayfly.providers.kubernetes import pool
from dayfly.queue import keeper
from dayfly.queue.binary import find_server
from dayfly.server.cluster.install import permissions
from dayfly.server.cluster.install.choices import Node
from dayfly.server.cluster.names import SUPPORTED_MINORS
from dayfly.server.cluster.place import Pod
from dayfly.server.settings import Settings, StartOptions

BACKEND = "dayfly-gateway"
SMALL_BYTES = 600 << 20


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Any:
    """Have the validator read each file of schemas once, and not for each object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


@pytest.mark.parametrize("minor", SUPPORTED_MINORS)
@pytest.mark.parametrize("name", SETS)
def test_every_object_is_valid_for_every_minor(name: str, minor: str) -> None:
    nodes = [node for node in made(name) if node["kind"] != "HTTPRoute"]
    assert {kubernetes_validate.validate(node, minor, strict=True) for node in nodes} == {minor}


@pytest.mark.parametrize("name", ["much", "little"])
def test_a_route_is_one_that_the_gateway_api_takes(name: str) -> None:
    route = find(made(name), "HTTPRoute", "dayfly-gateway")
    jsonschema.validate(route, HTTP_ROUTE)
    (service,) = (node for node in made(name) if node["kind"] == "Service" and node["metadata"]["name"] == BACKEND)
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == (BACKEND, service["spec"]["ports"][0]["port"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec["parentRefs"][0].pop("name"),
        lambda spec: spec["parentRefs"][0].update(namespace=None),
        lambda spec: spec.update(hostnames=["https://a.b"]),
        lambda spec: spec.update(hosts=["a.b"]),
        lambda spec: spec["rules"][0]["backendRefs"][0].pop("port"),
        lambda spec: spec["rules"][0]["backendRefs"][0].update(port="http"),
    ],
)
def test_a_route_that_the_gateway_api_does_not_take_is_found(spoil: Callable[[Any], Any]) -> None:
    route = copy.deepcopy(find(made("much"), "HTTPRoute", "dayfly-gateway"))
    spoil(route["spec"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(route, HTTP_ROUTE)


def test_what_is_not_valid_is_found() -> None:
    node = copy.deepcopy(find(made("plain"), "Deployment", "dayfly-gateway"))
    node["spec"]["template"]["spec"]["containers"][0]["port"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="port"):
        kubernetes_validate.validate(node, SUPPORTED_MINORS[-1], strict=True)


def test_no_object_is_there_twice() -> None:
    for name in SETS:
        places = [(node["kind"], node["metadata"].get("namespace"), node["metadata"]["name"]) for node in made(name)]
        assert len(places) == len(set(places)), name


@pytest.mark.parametrize("question", forbidden.QUESTIONS, ids=lambda question: str(question.__name__))
def test_nothing_forbidden_is_in_any_object(question: Callable[[Node], list[str]]) -> None:
    nodes = [node for name in SETS for node in made(name)]
    if question is forbidden.exposed:
        nodes = made("plain")
    wrong = {node["metadata"]["name"]: found for node in nodes if (found := question(node))}
    assert wrong == {}


POISON: dict[str, tuple[str, str, Callable[[Node], None]]] = {
    "of_the_host": ("Deployment", "dayfly-pool", lambda node: _pod(node).update(hostNetwork=True)),
    "privileged": (
        "Deployment",
        "dayfly-gateway",
        lambda node: _first(node)["securityContext"].update(privileged=True),
    ),
    "unbounded": ("StatefulSet", "dayfly-queue", lambda node: _first(node)["resources"].pop("limits")),
    "unasked": ("Deployment", "dayfly-control", lambda node: _first(node).pop("livenessProbe")),
    "too_powerful": ("Role", "dayfly-control", lambda node: node["rules"][1].update(verbs=["*"])),
    "with_a_token": ("Deployment", "dayfly-pool", lambda node: _pod(node).update(automountServiceAccountToken=True)),
    "unspread": (
        "Deployment",
        "dayfly-gateway",
        lambda node: _pod(node)["topologySpreadConstraints"][0]["labelSelector"].update(matchLabels={"a": "b"}),
    ),
    "exposed": ("Service", "dayfly-gateway", lambda node: node["spec"].update(type="LoadBalancer")),
}


@pytest.mark.parametrize("question", forbidden.QUESTIONS, ids=lambda question: str(question.__name__))
def test_what_is_forbidden_is_found(question: Callable[[Node], list[str]]) -> None:
    kind, name, poison = POISON[question.__name__]
    node = copy.deepcopy(find(made("plain"), kind, name, None if kind != "Role" else "dayfly"))
    poison(node)
    assert question(node) != []


def _pod(node: Node) -> Any:
    return node["spec"]["template"]["spec"]


def _security(node: Node) -> Any:
    return _first(node)["securityContext"]


def _first(node: Node) -> Any:
    return _pod(node)["containers"][0]


def test_a_small_installation_asks_for_less_than_600_mib() -> None:
    total = 0
    for node in made("plain"):
        for each in forbidden.containers_of(node):
            total += node["spec"]["replicas"] * parse_memory(each["resources"]["requests"]["memory"])
    assert 200 << 20 < total < SMALL_BYTES


def test_namespaces_take_no_pods_below_the_level_restricted() -> None:
    for name in ("dayfly", "dayfly-functions", "openfaas-fn"):
        labels = find(made("plain"), "Namespace", name)["metadata"]["labels"]
        modes = ("enforce", "audit", "warn")
        assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in modes} == {"restricted"}


def test_every_rule_of_a_role_is_one_with_a_reason() -> None:
    known = [rule.node for rule in permissions.all_rules(["functions"])]
    roles = [node for node in made("plain") if node["kind"] in ("Role", "ClusterRole")]
    assert {node["kind"] for node in roles} == {"Role", "ClusterRole"}
    assert [rule for node in roles for rule in node["rules"] if rule not in known] == []


def test_rights_may_be_bound_to_namespaces() -> None:
    nodes = made("bounded")
    accounts = [node["subjects"][0]["name"] for node in nodes if node["kind"] == "ClusterRoleBinding"]
    assert accounts == []
    rights = {node["metadata"]["namespace"]: node["rules"] for node in nodes if node["kind"] == "Role"}
    assert set(rights) == {"dayfly", "dayfly-functions", "openfaas-fn", "team-a"}
    bound = {node["metadata"]["namespace"] for node in nodes if node["kind"] == "RoleBinding"}
    assert bound == set(rights)
    assert rights["team-a"] == [rule.node for rule in permissions.with_functions(["functions"])]
    (container,) = find(nodes, "Deployment", "dayfly-control")["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each.get("value", "") for each in container["env"]}
    pod = Pod(name="a", namespace="dayfly", environ=told)
    assert pod.bounds == ("openfaas-fn", "team-a")
    assert Pod(name="a", namespace="dayfly", environ={}).bounds == ()
    assert {node["kind"] for node in made("plain")} >= {"ClusterRole", "ClusterRoleBinding"}


def test_every_pod_of_ours_is_closed_by_a_policy() -> None:
    nodes = made("plain")
    policies = [node for node in nodes if node["kind"] == "NetworkPolicy"]
    for place, template in templates(nodes).items():
        namespace, labels = place.partition("/")[0], template["metadata"]["labels"]
        chosen = [
            each["spec"]["policyTypes"]
            for each in policies
            if each["metadata"]["namespace"] == namespace
            and each["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert ["Ingress", "Egress"] in chosen, place


def test_who_holds_which_secret() -> None:
    found = {}
    for place, template in templates(made("plain")).items():
        text = str(template)
        found[place.rpartition("/")[2]] = sorted(
            set(re.findall(r"admin-password|link-token|token-key|queue-password|tls\.key", text))
        )
    assert found == {
        "dayfly-control": ["admin-password", "link-token", "queue-password", "tls.key", "token-key"],
        "dayfly-gateway": ["link-token"],
        "dayfly-queue": ["queue-password"],
        "dayfly-pool": [],
    }


def test_one_of_a_kind_may_be_moved_and_several_go_one_at_a_time() -> None:
    budgets = {node["metadata"]["name"] for node in made("plain") if node["kind"] == "PodDisruptionBudget"}
    assert budgets == {"dayfly-gateway"}
    budgets = {node["metadata"]["name"] for node in made("much") if node["kind"] == "PodDisruptionBudget"}
    assert budgets == {"dayfly-control", "dayfly-gateway", "dayfly-queue"}


def test_a_gateway_takes_calls_until_nobody_sends_it_any_and_has_its_time_for_those_at_hand() -> None:
    pod = find(made("plain"), "Deployment", "dayfly-gateway")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    lingers_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    drain_s = Settings.resolve(StartOptions(data_dir="/data"), given).drain_s
    assert lingers_s >= 5
    assert drain_s == 90, "docs/kubernetes.md, Upgrade"
    assert lingers_s + drain_s < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", ["plain", "much"])
def test_nats_server_takes_its_configuration(name: str, tmp_path: Path) -> None:
    server = find_server({})
    if server.path is None:
        pytest.skip(server.missing)
    config = tmp_path / "nats.conf"
    config.write_text(find(made(name), "ConfigMap", "dayfly-queue")["data"]["nats.conf"])
    for key, word in find(made(name), "Secret", "dayfly-internal")["data"].items():
        (tmp_path / key).write_bytes(base64.b64decode(word))
    (tmp_path / "users.conf").write_text(keeper.Passwords(tmp_path).text)
    passwords = {"QUEUE_ROUTE_PASSWORD": (tmp_path / "queue-route-password").read_text()}
    (container,) = find(made(name), "StatefulSet", "dayfly-queue")["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    passwords |= {key: value for key, value in given.items() if key.startswith("QUEUE_ROUTE_")}
    argv = [str(server.path), "-t", "-c", str(config)]
    done = subprocess.run(argv, env={"POD_NAME": "dayfly-queue-0", **passwords}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "sync_interval: always" in config.read_text()
    assert config.read_text().count("$QUEUE_ROUTE_") == (4 if name == "much" else 0)


def test_values_reach_the_pods() -> None:
    nodes, wanted = made("much"), values("much")
    pools = [place for place in templates(nodes) if place.endswith("/dayfly-pool")]
    assert pools == ["pods/dayfly-pool"]
    for template in templates(nodes).values():
        pod = template["spec"]
        assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
        assert (pod["nodeSelector"], pod["tolerations"][0]) == (wanted.node_selector, dict(wanted.tolerations[0]))
        assert pod["containers"][0]["image"] == wanted.image.reference
    assert "limits" in _first(find(nodes, "Deployment", "dayfly-control"))["resources"]
    assert "cpu" not in _first(find(nodes, "Deployment", "dayfly-control"))["resources"]["limits"]


@pytest.mark.parametrize("name", ["plain", "much"])
def test_pods_leave_a_lost_node_but_for_those_that_nobody_may_stand_in_for(name: str) -> None:
    leave_after = {
        place: {each["key"]: each["tolerationSeconds"] for each in template["spec"].get("tolerations", ())
                if each["effect"] == "NoExecute"}
        for place, template in templates(made(name)).items()
    }  # fmt: skip
    lost = {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}
    assert {place.partition("/")[2]: after for place, after in leave_after.items()} == {
        "dayfly-control": lost, "dayfly-gateway": lost, "dayfly-pool": lost, "dayfly-queue": {},
    }  # fmt: skip


@pytest.mark.parametrize(("name", "form"), [("plain", "text"), ("much", "json")])
def test_how_the_platform_logs_is_a_value(name: str, form: str) -> None:
    for kind, part in (
        ("Deployment", "dayfly-control"), ("Deployment", "dayfly-gateway"), ("StatefulSet", "dayfly-queue"),
        ("Deployment", pool.NAME),
    ):  # fmt: skip
        assert {"name": "DAYFLY_LOG_FORMAT", "value": form} in _first(find(made(name), kind, part))["env"], part


@pytest.mark.parametrize("deployment", ["dayfly-control", "dayfly-gateway"])
def test_further_settings_reach_whom_they_are_for(deployment: str) -> None:
    env = _first(find(made("much"), "Deployment", deployment))["env"]
    assert {"name": "DAYFLY_OTLP_ENDPOINT", "value": "http://collector.tracing:4318"} in env
    told = {each["name"]: each["value"] for each in env if each["name"] in ("DAYFLY_OTLP_ENDPOINT", "DAYFLY_PRICES")}
    assert Settings.resolve(StartOptions(), told).otlp_endpoint == "http://collector.tracing:4318"
    assert len({each["name"] for each in env}) == len(env)


def test_the_pool_is_made_where_its_pods_are_known() -> None:
    """What runs in it finds its folders, ports and key as the provider gives them to pods that it makes itself."""
    nodes = made("much")
    deployment = find(nodes, "Deployment", pool.NAME)
    read = pool.installed(deployment, "faas", values("much").image.reference)
    assert (read.size, read.pull_secrets, read.account) == (8, ("one", "two"), pool.NAME)
    assert read.node_selector == values("much").node_selector
    ours, theirs = deployment["spec"]["template"]["spec"], pool.pod_template(read)["spec"]
    assert {name: ours[name] for name in theirs} == theirs
    account = find(nodes, "ServiceAccount", pool.NAME)
    assert account["automountServiceAccountToken"] is False


def test_what_is_known_of_the_past_is_on_a_volume_where_one_was_asked_for() -> None:
    nodes = made("lasting")
    claim = find(nodes, "PersistentVolumeClaim", "dayfly-observer", "dayfly")
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    control = find(nodes, "Deployment", "dayfly-control")["spec"]
    assert (control["replicas"], control["strategy"]) == (1, {"type": "Recreate"})
    (data,) = (each for each in control["template"]["spec"]["volumes"] if each["name"] == "data")
    assert data["persistentVolumeClaim"]["claimName"] == "dayfly-observer"
    (container,) = control["template"]["spec"]["containers"]
    (mount,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "data")
    assert mount in [each.get("value") for each in container["env"] if each["name"] == "DAYFLY_DATA_DIR"]
    assert not [node for node in made("plain") if node["kind"] == "PersistentVolumeClaim"]
