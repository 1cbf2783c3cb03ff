"""install and uninstall, with the real kubectl, in front of an API server of the tests' own."""

import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.cluster.server import Double
from tests.unit.server.cluster.making import made, text
from tests.unit.server.cluster.tools import program

from dayfly.cli.main import cli
from dayfly.cluster.schema import crds
from dayfly.model.errors import ConfigError, Forbidden, Unauthenticated, Unavailable
from dayfly.server.cluster.install import applying
from dayfly.server.cluster.install.applying import check_versions, place_of, trouble_of
from dayfly.server.cluster.install.examining import Examination, Finding, deprecated
from dayfly.server.cluster.install.given import merged, placed
from dayfly.server.cluster.install.kubectl import Kubectl, Versions, refusal
from dayfly.storage.certificate import expiry, make_certificate

BEFORE = {("namespaces", "default"), ("namespaces", "kube-system")}


class Cluster(NamedTuple):
    """The API server, and the command line in front of it."""

    double: Double
    run: Callable[..., Result]

    def there(self) -> set[tuple[str, str]]:
        """Return what there is, but for Kubernetes' own."""
        kinds = {each.plural for each in self.double.registry.resources()}
        found = {(kind, each["metadata"]["name"]) for kind in kinds for each in self.double.objects(kind)}
        return found - BEFORE


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster in which every workload is up as soon as it is wanted; kubectl shows credentials over TLS only."""
    made_for_it = make_certificate(["localhost"], years=1)
    for name, data in (("cert", made_for_it.cert), ("key", made_for_it.key)):
        (tmp_path / name).write_bytes(data)
    kubectl = program("kubectl")
    with Double(tls=(str(tmp_path / "cert"), str(tmp_path / "key"))) as double:
        double.controllers.append(lambda: bring_up(double))
        (tmp_path / "config").write_text(json.dumps(double.kubeconfig()))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("PATH", f"{kubectl.parent}:{os.environ['PATH']}")
        yield Cluster(double, lambda *arguments: CliRunner().invoke(cli, arguments))


def bring_up(double: Double) -> None:
    with double.registry.lock:
        for kind in ("deployments", "statefulsets"):
            for each in double.objects(kind):
                count, generation = each["spec"]["replicas"], each["metadata"]["generation"]
                status = {"observedGeneration": generation, "readyReplicas": count, "updatedReplicas": count}
                if each.get("status") != status:
                    place = each["metadata"]["namespace"]
                    double.registry.update(double.resource(kind), place, {**each, "status": status}, "status")


def ok(done: Result) -> str:
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.timeout(300)
def test_what_is_installed_is_changed_kept_and_removed(cluster: Cluster, tmp_path: Path) -> None:
    double, wanted = cluster.double, {(place_of(node)[0], node["metadata"]["name"]) for node in made("plain", crds())}
    assert "dayfly login --kubernetes" in ok(cluster.run("install"))
    assert len(cluster.there()) == len(wanted)
    secret = double.object("secrets", "dayfly", "dayfly-admin")
    inside = double.object("secrets", "dayfly", "dayfly-internal")
    assert secret is not None
    assert len(text(secret["data"]["password"])) > 20

    values = tmp_path / "values.yaml"
    values.write_text("gateway: {replicas: 1}\nnetwork: {policies: false}\npool: {size: 010}\n")
    settings = ("--set", "pool.size=3", "--set", "functions.namespaces={openfaas-fn,team-a}")
    assert "is changed" in ok(cluster.run("install", "--values", str(values), *settings))
    assert double.objects("networkpolicies") + double.objects("poddisruptionbudgets") == []
    pool = double.object("deployments", "dayfly-functions", "dayfly-pool")
    assert pool is not None
    assert pool["spec"]["replicas"] == 3
    for name, before in (("dayfly-admin", secret), ("dayfly-internal", inside)):
        after = double.object("secrets", "dayfly", name)
        assert after is not None
        assert before is not None
        assert after["data"] == before["data"]

    double.create("functions", "team-a", {"metadata": {"name": "hello"}, "spec": {"image": "hello:1"}})
    told = ok(cluster.run("uninstall"))
    assert "Kept: functions, data, kinds." in told
    left = cluster.there()
    assert ("functions", "hello") in left
    assert {kind for kind, _ in left} == {"customresourcedefinitions", "functions", "namespaces"}
    assert cluster.run("uninstall").exit_code == 66

    ok(cluster.run("install", *settings))
    assert double.object("functions", "team-a", "hello") is not None
    ok(cluster.run("uninstall", "--everything"))
    assert cluster.there() == set()


def works(double: Double, namespace: str, name: str) -> None:
    """Have somebody else work in a namespace."""
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {"spec": {"containers": []}}}
    double.create("deployments", namespace, {"metadata": {"name": name}, "spec": spec})
    double.create("configmaps", namespace, {"metadata": {"name": "kube-root-ca.crt"}, "data": {}})


def snapshot(double: Double) -> dict[tuple[str, str, str], Any]:
    """Return everything that somebody said of any object."""
    found = {}
    for resource in double.registry.resources():
        for each in double.registry.all(resource):
            meta = {key: each["metadata"].get(key) for key in ("labels", "annotations", "uid")}
            place = (resource.name, each["metadata"].get("namespace", ""), each["metadata"]["name"])
            found[place] = {**each, "metadata": meta, "status": None}
    return found


ELSEWHERE = {
    "own": ("--set", "createNamespace=false", "--set", "functions.createNamespaces=false"),
    "found": (),
}  # fmt: skip
"""Namespaces that are said to be there already, and those that are simply found there."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ELSEWHERE)
def test_everything_is_removed_and_nothing_of_anybody_else(cluster: Cluster, how: str) -> None:
    double = cluster.double
    double.namespaces("dayfly", "dayfly-functions", "shop")
    double.create("namespaces", "", {"metadata": {"name": "openfaas-fn", "labels": {"team": "a"}}})
    for namespace in ("dayfly", "dayfly-functions", "openfaas-fn", "shop"):
        works(double, namespace, "theirs")
    # A release of another program's that somebody called as our namespace is called.
    foreign = {"name": "named-alike", "labels": {"app.kubernetes.io/instance": "dayfly"}}
    double.create("configmaps", "dayfly", {"metadata": foreign, "data": {}})
    double.create("secrets", "openfaas-fn", {"metadata": {"name": "theirs"}, "data": {}})
    before = snapshot(double)

    told = ok(cluster.run("install", *ELSEWHERE[how]))
    assert ("dayfly, dayfly-functions, openfaas-fn were there before" in told) == (how == "found")
    for place, said in before.items():
        assert snapshot(double)[place] == said
    labels = {"dayfly.dev/secret": "true"}
    double.create("secrets", "openfaas-fn", {"metadata": {"name": "of-a-function", "labels": labels}, "data": {}})
    double.create("secrets", "shop", {"metadata": {"name": "of-another", "labels": labels}, "data": {}})
    token = {"name": "dayfly-token-a", "labels": {"dayfly.dev/token": "true"}}
    double.create("secrets", "dayfly", {"metadata": token, "data": {}})
    shelf = {"name": "dayfly-hosts", "labels": {"dayfly.dev/shelf": "hosts"}}
    double.create("configmaps", "dayfly", {"metadata": shelf, "data": {}})
    double.create("functions", "openfaas-fn", {"metadata": {"name": "hello"}, "spec": {"image": "hello:1"}})

    ok(cluster.run("uninstall", "--everything"))
    assert snapshot(double) == before


@pytest.mark.timeout(300)
def test_a_namespace_that_was_made_stays_while_somebody_else_works_in_it(cluster: Cluster) -> None:
    double = cluster.double
    before = snapshot(double)
    ok(cluster.run("install"))
    works(double, "openfaas-fn", "theirs")
    works(double, "dayfly-functions", "others")
    told = ok(cluster.run("uninstall", "--everything"))
    assert "The namespace openfaas-fn is kept: somebody else has deployment/theirs there." in told
    after = {
        place[:2] for place in snapshot(double).keys() - before.keys() if place[0] in ("namespaces", "deployments.apps")
    }
    assert after == {("namespaces", ""), ("deployments.apps", "openfaas-fn"), ("deployments.apps", "dayfly-functions")}
    assert double.object("namespaces", "", "dayfly") is None


@pytest.mark.timeout(300)
def test_there_is_one_installation_in_a_cluster(cluster: Cluster) -> None:
    double = cluster.double
    ok(cluster.run("install"))
    there = snapshot(double)
    refused = cluster.run("install", "--namespace", "second")
    assert refused.exit_code == 73
    assert "There is an installation in the namespace dayfly of this cluster" in refused.output
    assert snapshot(double) == there


@pytest.mark.timeout(300)
def test_of_two_that_were_there_before_one_goes_and_the_other_keeps_all_that_is_its(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = cluster.double
    ok(cluster.run("install"))
    monkeypatch.setattr(applying, "check_alone", lambda *_: None)
    double.create("functions", "openfaas-fn", {"metadata": {"name": "hello"}, "spec": {"image": "hello:1"}})
    labels = {"dayfly.dev/secret": "true"}
    double.create("secrets", "openfaas-fn", {"metadata": {"name": "pass", "labels": labels}, "data": {}})
    double.create("namespaces", "", {"metadata": {"name": "team", "labels": {"dayfly.dev/made": "true"}}})
    there = snapshot(double)
    ok(cluster.run("install", "--namespace", "second", "--set", "functions.namespace=second-functions"))
    told = ok(cluster.run("uninstall", "--namespace", "second", "--everything"))
    assert "kept: the installation in dayfly has them, too" in told
    assert snapshot(double).keys() == there.keys()


def test_a_dry_run_asks_no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(cli, ["install", "--dry-run", "-n", "faas", "--set", "auth.password=given"])

    nodes = [*yaml.safe_load_all(ok(done))]
    assert len(nodes) == len(made("plain", crds()))
    assert {node["metadata"].get("namespace", "faas") for node in nodes} == {"faas", "dayfly-functions"}
    done = CliRunner().invoke(cli, ["install"])
    assert done.exit_code == 69
    assert "no kubectl on the PATH" in done.output


@pytest.mark.timeout(300)
def test_what_cannot_be_is_told_before_anything_is_written(cluster: Cluster, tmp_path: Path) -> None:
    cluster.double.version = {"major": "1", "minor": "29", "gitVersion": "v1.29.0"}
    refused = cluster.run("install")
    assert refused.exit_code == 78
    assert "Kubernetes 1.29; this version of Dayfly needs 1.33" in refused.output
    cluster.double.version = {"major": "1", "minor": "36", "gitVersion": "v1.36.2"}
    assert "cannot be read" in cluster.run("install", "--values", str(tmp_path / "none")).output
    cluster.double.namespaces("dayfly")
    helms = next(node for node in made("plain") if place_of(node)[::2] == ("deployments.apps", "dayfly-control"))
    helms["metadata"]["annotations"] = {"meta.helm.sh/release-name": "mine"}
    cluster.double.create("deployments", "dayfly", helms)
    for command in ("install", "uninstall"):
        refused = cluster.run(command)
        assert refused.exit_code == 73
        assert "is the Helm release mine" in refused.output
    config = tmp_path / "config"
    config.write_text(json.dumps(cluster.double.kubeconfig(cluster.double.token("default", "nobody"))))
    refused = cluster.run("install")
    assert refused.exit_code == 77
    assert "lacks this right" in refused.output
    assert cluster.double.written() == []


@pytest.mark.timeout(300)
def test_another_volume_is_refused_before_anything_is_written(cluster: Cluster) -> None:
    lasting: tuple[str, ...] = (
        "--set",
        "control.replicas=1",
        "--set",
        "observer.storage=5Gi",
        "--set",
        "observer.storageClass=slow",
    )
    ok(cluster.run("install", *lasting))
    lasting += ("--set", "queue.nodes=3")
    ok(cluster.run("install", *lasting, "--set", "queue.storage=2048Mi"))
    ok(cluster.run("install", *lasting, "--set", "queue.storage=2Gi"))
    there = snapshot(cluster.double)
    for setting, told in (
        ("queue.storage=4Gi", "Each server of dayfly-queue has a volume of 2Gi, and a volume of 4Gi is asked for"),
        ("queue.storageClass=fast", "and a volume of 2Gi of the class fast is asked for"),
        ("queue.persistent=false", "and no volume is asked for"),
        ("queue.nodes=1", "dayfly-queue has 3 servers, and 1 is asked for"),
        ("observer.storage=4Gi", "The volume dayfly-observer has 5Gi of the class slow, and 4Gi of the class slow is"),
        ("observer.storageClass=fast", "and 5Gi of the class fast is asked for"),
    ):
        refused = cluster.run("install", *lasting, "--set", setting)
        assert (refused.exit_code, told in refused.output) == (73, True), refused.output
        assert "Nothing was changed" in refused.output
    assert snapshot(cluster.double) == there
    ok(cluster.run("install", *lasting, "--set", "observer.storage=6Gi"))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource "pods"', Forbidden),
        ('Error from server (Forbidden): pods "a" is forbidden: exceeded quota: small', ConfigError),
        ('The StatefulSet "q" is invalid: spec: Forbidden: updates to statefulset spec are forbidden', ConfigError),
        ("Unable to connect to the server: EOF", Unavailable),
        ("error: You must be logged in to the server (Unauthorized)", Unauthenticated),
    ],
)
def test_what_kubectl_says_is_told_as_what_it_is(said: str, kind: type[Exception]) -> None:
    assert type(refusal("apply", said)) is kind


@pytest.mark.timeout(300)
def test_what_is_not_up_in_time_is_told_with_its_reason(cluster: Cluster) -> None:
    cluster.double.controllers.clear()
    labels = {"app.kubernetes.io/instance": "dayfly"}
    cluster.double.namespaces("dayfly")
    waiting = {"reason": "ErrImageNeverPull", "message": "the image is not on the node"}
    pod = {"metadata": {"name": "gateway-1", "labels": labels}, "spec": {"containers": []}}
    cluster.double.create("pods", "dayfly", pod)
    kept = cluster.double.object("pods", "dayfly", "gateway-1")
    assert kept is not None
    status = {"containerStatuses": [{"state": {"waiting": waiting}}]}
    cluster.double.registry.update(cluster.double.resource("pods"), "dayfly", {**kept, "status": status}, "status")
    done = cluster.run("install", "--timeout", "1s")
    assert done.exit_code == 69
    assert "dayfly-gateway (0 of 2)" in done.output
    assert "dayfly/gateway-1: ErrImageNeverPull: the image is not on the node" in done.output


@pytest.mark.timeout(300)
def test_the_doctor_tells_what_is_wrong_with_an_installation(cluster: Cluster) -> None:
    double = cluster.double
    assert cluster.run("doctor", "--kubernetes").exit_code == 66
    ok(cluster.run("install"))
    lease = {"metadata": {"name": "dayfly-control"}, "spec": {"holderIdentity": "control-1"}}
    double.create("leases", "dayfly", lease)
    well = examined(cluster, 0)
    assert {part for part, mark in well if mark != "ok"} == {"Old APIs"}, well
    assert "you may create functions in every namespace" in well["You", "ok"]

    double.registry.delete(double.resource("leases"), "dayfly", "dayfly-control", {})
    double.registry.delete(double.resource("deployments"), "dayfly", "dayfly-gateway", {})
    double.registry.delete(double.resource("customresourcedefinitions"), "", "flows.dayfly.dev", {})
    role = double.object("roles", "dayfly-functions", "dayfly-control")
    assert role is not None
    changed = {**role, "rules": role["rules"][1:]}
    double.registry.update(double.resource("roles"), "dayfly-functions", changed)
    double.version = {"major": "1", "minor": "40", "gitVersion": "v1.40.0"}
    ill = examined(cluster, 1)
    assert "tested up to 1.37" in ill["Kubernetes", "odd"]
    assert ill["Lease", "bad"] == "nobody holds it"
    assert "there is no deployment dayfly-gateway" in ill["Gateways", "bad"]
    assert (
        "role dayfly-control in dayfly-functions lacks: list, watch, create, patch, delete pods" in ill["Rights", "bad"]
    )
    assert "6 of 7 are there" in ill["Kinds", "bad"]


@pytest.mark.timeout(300)
def test_rights_are_bound_to_namespaces_and_no_longer(cluster: Cluster) -> None:
    double = cluster.double
    double.create("namespaces", "", {"metadata": {"name": "team-a"}})
    spaces = ("--set", "functions.namespaces={openfaas-fn,team-a}")
    for word, wide, bound in (("true", 1, 0), ("false", 0, 2), ("true", 1, 0)):
        ok(cluster.run("install", *spaces, "--set", f"functions.everywhere={word}"))
        named = [each["metadata"]["name"] for each in double.objects("clusterroles")]
        assert named.count("dayfly:dayfly:control") == wide
        assert len(double.objects("clusterrolebindings")) == wide
        for kind in ("roles", "rolebindings"):
            assert len([*double.objects(kind, "openfaas-fn"), *double.objects(kind, "team-a")]) == bound
        lease = {"metadata": {"name": "dayfly-control"}, "spec": {"holderIdentity": "control-1"}}
        if double.object("leases", "dayfly", "dayfly-control") is None:
            double.create("leases", "dayfly", lease)
        assert ("Rights", "bad") not in examined(cluster, 0)


def examined(cluster: Cluster, code: int) -> dict[tuple[str, str], str]:
    """Return what the doctor finds, the last word of each part and mark."""
    done = cluster.run("doctor", "--kubernetes", "-o", "json")
    assert done.exit_code == code, done.output
    return {(each["part"], each["mark"]): each["text"] for each in json.loads(done.output)}


def test_a_certificate_that_ends_is_told() -> None:
    labels = {"app.kubernetes.io/instance": "dayfly"}
    for days, mark in ((-1, "bad"), (10, "odd"), (300, "ok")):
        made_for_it = make_certificate(["a"], years=1)
        data = {"tls.crt": base64.b64encode(made_for_it.cert).decode()}
        secret = {"metadata": {"name": "dayfly-internal", "labels": labels}, "data": data}
        now = expiry(made_for_it.cert) - timedelta(days=days)
        kubectl = Known({"secret": secret})
        found = Examination(kubectl, "dayfly", "dayfly-functions", now).findings()
        assert [each.mark for each in found if each.part == "Certificate"] == [mark]
        assert f"dayfly-internal: {round(365 - days, -1)} days old" in found_text(found)
        assert [each.mark for each in found if each.part == "Kubernetes"] == ["unknown"]


def found_text(found: list[Finding]) -> str:
    """Return what is said of the certificate, whatever a leap year and the hour make of its age."""
    (text,) = (each.text for each in found if each.part == "Certificate")
    return re.sub(r"(\d+) days old", lambda number: f"{round(int(number[1]), -1)} days old", text)


class Known(Kubectl):
    """A kubectl that knows one object of each kind, and reaches nothing else."""

    def __init__(self, objects: dict[str, Any]) -> None:
        super().__init__("kubectl")
        self._objects = objects

    def run(self, *arguments: str, stdin: bytes = b"", timeout_s: float = 1.0) -> str:
        """Raises Unavailable."""
        raise Unavailable(f"{arguments} {len(stdin)} {timeout_s}")

    def find_object(self, kind: str, name: str, namespace: str = "") -> Any:
        """Return the one of this kind."""
        found = self._objects.get(kind)
        return found if found and (found["metadata"]["name"], namespace) == (name, "dayfly") else None


def test_apis_that_will_go_are_found_in_the_metrics() -> None:
    line = (
        'apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="psp",version="v1beta1"} '
    )
    assert deprecated(f"# TYPE x\n{line}1\n{line}1\n") == ["psp of policy/v1beta1 (gone in 1.25)"]
    assert deprecated(f"{line}0\n") == []


@pytest.mark.parametrize(
    ("client", "server", "says"),
    [(36, 36, ""), (37, 38, "tested up to 1.37"), (33, 35, "one minor version of difference only"), (36, 35, "")],
)
def test_versions_that_are_odd_are_told(client: int, server: int, says: str) -> None:
    assert says in check_versions(Versions(client, server))
    assert bool(says) == bool(check_versions(Versions(client, server)))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "no memory"}]},
            "no node takes it: no memory",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 78, "message": "no queue"}},
                    }
                ]
            },
            "CrashLoopBackOff: it ended with code 78: no queue",
        ),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, "does not say yet"),
        ({"containerStatuses": [{"state": {"running": {}}, "ready": False}]}, "does not say yet"),
        ({"containerStatuses": [{"state": {"running": {}}, "ready": True}]}, ""),
        ({}, ""),
    ],
)
def test_what_keeps_a_pod_is_told(status: Any, says: str) -> None:
    found = trouble_of({"status": status})
    assert says in found
    assert bool(says) == bool(found)


def test_what_is_said_later_counts_more() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}
    assert placed("a.b", "{x, y}") == {"a": {"b": ["x", "y"]}}
    for wrong in (lambda: merged({}, []), lambda: placed("a..b", "1")):
        with pytest.raises(ConfigError):
            wrong()
