"""The platform on a real cluster: `make test-cluster`, and docs/kubernetes.md says what it needs.

The tests are in the order in which somebody would get to know it, and so are the modules: test_removal removes it, and
then comes what needs a cluster without it.
"""

import base64
import concurrent.futures
import gzip
import hashlib
import io
import json
import re
import tarfile
import threading
import zipfile

import pytest
from tests.kubernetes.installation import FUNCTIONS, NAMESPACE, PLACE, Installation, manifest, saying, until
from tests.kubernetes.standing import comes_back

pytestmark = pytest.mark.timeout(600)


def test_a_function_applied_by_kubectl_answers(cluster: Installation) -> None:
    cluster.apply("applied", saying("one"))
    cluster.answers("applied", "one")
    cluster.apply("applied", saying("two"))
    cluster.answers("applied", "two")
    until(
        lambda: re.search(r"(?m)^applied .*\bTrue\b", cluster.kubectl("-n", PLACE, "get", "functions")),
        "kubectl get functions does not say that it is ready",
    )


def test_a_spec_that_cannot_be_used_is_refused_where_kubectl_shows_it(cluster: Installation) -> None:
    said = cluster.apply("Bad_Name", saying("no"), fails=True)
    assert "Invalid value" in said
    obj = manifest("nowhere", saying("no"), secrets=["there-is-none"])
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(obj))
    until(
        lambda: "there-is-none" in cluster.kubectl("-n", PLACE, "get", "function", "nowhere", "-o", "yaml"),
        "the status does not say why the function is not deployed",
        lambda: cluster.kubectl("-n", PLACE, "get", "function", "nowhere", "-o", "yaml"),
    )
    cluster.kubectl("-n", PLACE, "delete", "function", "nowhere")


def test_a_function_deployed_by_the_command_line_answers(cluster: Installation) -> None:
    cluster.deploy("typed", saying("by the command line"))
    cluster.answers("typed", "by the command line")
    assert "typed" in cluster.kubectl("-n", PLACE, "get", "functions")


def test_a_function_deployed_over_http_answers(cluster: Installation) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        code = saying("over HTTP").encode()
        about = tarfile.TarInfo("handler.py")
        about.size = len(code)
        tar.addfile(about, io.BytesIO(code))
    data = gzip.compress(archive.getvalue())
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    at, auth = f"{cluster.url}/v1/namespaces/{PLACE}", ("admin", cluster.password)
    put = cluster.http.put(f"{at}/bundles/{digest}", content=data, auth=auth)
    assert put.status_code == 201, put.text
    spec = {"name": "spoken", "namespace": PLACE, "lang": "python", "runtime": "python", "bundle": digest}
    put = cluster.http.put(f"{at}/functions/spoken", json=spec, auth=auth)
    assert put.status_code in (200, 201, 202), put.text
    cluster.answers("spoken", "over HTTP")


def test_kubectl_scales_from_zero_to_three_and_back(cluster: Installation) -> None:
    cluster.kubectl("-n", PLACE, "scale", "function/applied", "--replicas=3")
    cluster.scaled("applied", 3)
    cluster.kubectl("-n", PLACE, "scale", "function/applied", "--replicas=0")
    cluster.scaled("applied", 0)
    assert cluster.call("applied").text == "two"
    until(lambda: len(cluster.pods_of("applied")) == 1, "the call has started no replica")


def test_a_cold_start_takes_a_pod_that_waited(cluster: Installation) -> None:
    pool = {
        pod["metadata"]["name"]
        for pod in cluster.objects("pods", FUNCTIONS, "-l", "dayfly.dev/role=pool")
        if "deletionTimestamp" not in pod["metadata"]
    }
    assert pool, "no pod waits"
    cluster.dayfly("scale", "typed", "0")
    cluster.scaled("typed", 0)
    assert cluster.call("typed").status_code == 200
    (pod,) = until(lambda: cluster.pods_of("typed"), "the call has started no replica")
    assert not pod["metadata"].get("ownerReferences"), "its ReplicaSet has not let go of it"
    assert pod["metadata"]["name"].startswith("dayfly-pool-")
    until(
        lambda: len(cluster.objects("pods", FUNCTIONS, "-l", "dayfly.dev/role=pool")) >= len(pool),
        "the pool is not filled up again",
    )


def test_a_rollout_fails_no_call(cluster: Installation) -> None:
    cluster.deploy("rolled", saying("r1"))
    cluster.answers("rolled", "r1")
    cluster.dayfly("scale", "rolled", "2")
    cluster.scaled("rolled", 2)
    stop, seen = threading.Event(), []

    def keep_calling() -> None:
        while not stop.is_set():
            response = cluster.call("rolled")
            seen.append((response.status_code, response.text))

    with concurrent.futures.ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(keep_calling) for _ in range(4)]
        try:
            cluster.deploy("rolled", saying("r2"))
            cluster.answers("rolled", "r2")
            before = len(seen)
            until(lambda: len(seen) > before + 200, "the callers have stopped")
        finally:
            stop.set()
        for call in calls:
            call.result()
    assert set(seen) <= {(200, "r1"), (200, "r2")}
    assert seen[-1] == (200, "r2")


def test_a_pod_that_is_killed_is_replaced(cluster: Installation) -> None:
    before = {pod["metadata"]["name"] for pod in cluster.pods_of("rolled")}
    assert before
    cluster.kubectl("-n", FUNCTIONS, "delete", "pod", *before, "--grace-period=1", "--wait=false")
    until(
        lambda: (now := {pod["metadata"]["name"] for pod in cluster.pods_of("rolled")}) and not now & before,
        "the pods that were killed are not replaced",
    )
    cluster.answers("rolled", "r2")


def test_calls_go_on_while_the_control_plane_is_exchanged(cluster: Installation) -> None:
    cluster.answers("rolled", "r2")
    control = ("-l", "app.kubernetes.io/component=control")
    old = {pod["metadata"]["uid"] for pod in cluster.objects("pods", NAMESPACE, *control)}
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", *control, "--grace-period=1", "--wait=false")
    statuses = set()

    def is_back() -> bool:
        statuses.add(cluster.call("rolled").status_code)
        leaders = cluster.objects("pods", NAMESPACE, *control, "-l", "dayfly.dev/leader=true")
        return any(pod["metadata"]["uid"] not in old for pod in leaders)

    until(is_back, "no other control plane has taken over")
    assert statuses == {200}
    comes_back(cluster)
    cluster.deploy("later", saying("after it"))
    cluster.answers("later", "after it")
    # What was deployed before can still be started: its code outlived the control plane's pod.
    cluster.dayfly("scale", "typed", "0")
    cluster.scaled("typed", 0)
    cluster.answers("typed", "by the command line")


def test_whoever_may_not_create_functions_by_rbac_may_not_deploy(cluster: Installation) -> None:
    someone = f"--as=system:serviceaccount:{PLACE}:somebody"
    said = cluster.apply("forbidden", saying("no"), PLACE, someone, fails=True)
    assert "forbidden" in said.lower()
    cluster.kubectl(
        "-n", PLACE, "create", "rolebinding", "somebody", "--clusterrole=edit", f"--serviceaccount={PLACE}:somebody"
    )
    try:
        until(
            lambda: (
                cluster.run("sh", "-c", f"kubectl auth can-i create functions.dayfly.dev -n {PLACE} {someone}; true")
                .strip()
                .endswith("yes")
            ),
            "the cluster's role `edit` does not take in ours",
        )
        cluster.apply("permitted", saying("yes"), PLACE, someone)
        cluster.answers("permitted", "yes")
    finally:
        cluster.kubectl("-n", PLACE, "delete", "rolebinding", "somebody")


@pytest.mark.parametrize("account", [f"{NAMESPACE}:dayfly-gateway", f"{FUNCTIONS}:dayfly-pool"])
def test_gateways_and_functions_have_no_rights_in_the_cluster(cluster: Installation, account: str) -> None:
    for what in ("list pods", "get secrets", "create functions.dayfly.dev", "patch deployments"):
        assert not cluster.may(what, account), what


def test_a_quota_is_kept(cluster: Installation) -> None:
    cluster.dayfly("namespace", "create", "dayfly-test-small", "--quota", "functions=1")
    try:
        cluster.deploy("first", saying("1"), "--namespace", "dayfly-test-small")
        folder = str(cluster.folder / "code" / "first")
        argv = ("deploy", "second", "--handler", folder, "--lang", "python", "--namespace", "dayfly-test-small")
        assert "quota" in cluster.dayfly(*argv, fails=True)
        cluster.apply("third", saying("3"), "dayfly-test-small")
        until(
            lambda: "uota" in cluster.kubectl("-n", "dayfly-test-small", "get", "function", "third", "-o", "yaml"),
            "kubectl is not told of the quota",
        )
    finally:
        cluster.dayfly("namespace", "delete", "dayfly-test-small", "--force")


_TELLER = """\
import os
from pathlib import Path

def handle(event, context):
    print("it was asked")
    return Path("/var/openfaas/secrets/word").read_text() + " in " + os.environ["DAYFLY_SECRETS"]
"""


def test_a_secret_reaches_its_function_and_is_a_secret_of_the_cluster(cluster: Installation) -> None:
    cluster.dayfly("secret", "create", "word", "--from-literal", "swordfish")
    cluster.deploy("teller", _TELLER, "--secret", "word")
    cluster.answers("teller", "swordfish in /var/openfaas/secrets")
    shown = cluster.kubectl("-n", FUNCTIONS, "get", "pods", "-o", "yaml")
    assert "swordfish" not in shown
    assert any("word" in secret["metadata"]["name"] for secret in cluster.objects("secrets", PLACE))


_SPY = """
import socket

def handle(event, context):
    with socket.socket() as sock:
        sock.settimeout(3)
        try:
            sock.connect(("169.254.169.254", 80))
        except PermissionError:
            return "not allowed"
        except OSError as error:
            return f"nothing there: {error}"
    return "reached"
"""


def test_no_function_reaches_the_address_of_a_clouds_credentials(cluster: Installation) -> None:
    cluster.apply("spy", _SPY)
    cluster.answers("spy", "not allowed")


def test_an_archive_in_the_object_is_deployed_and_a_wrong_one_is_told(cluster: Installation) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", saying("from an archive"))
    data = packed.getvalue()
    right = {"data": base64.b64encode(data).decode(), "sha256": hashlib.sha256(data).hexdigest()}
    for name, archive_of in (("packed", right), ("mispacked", {**right, "sha256": "0" * 64})):
        obj = {**manifest(name, ""), "spec": {"lang": "python", "runtime": "python", "archive": archive_of}}
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(obj))
    cluster.answers("packed", "from an archive")
    until(
        lambda: "has the sha256" in cluster.kubectl("-n", PLACE, "get", "function", "mispacked", "-o", "yaml"),
        "kubectl is not told that the archive is another",
    )


def test_routes_flows_and_tenants_by_kubectl_are_taken_over_while_it_runs(cluster: Installation) -> None:
    def said(kind: str, name: str, condition: str = "Ready") -> str:
        path = f'{{.status.conditions[?(@.type=="{condition}")].status}}'
        return cluster.kubectl("-n", PLACE, "get", f"{kind}.dayfly.dev", name, "-o", f"jsonpath={path}")

    def apply(kind: str, name: str, spec: object) -> None:
        meta = {"name": name, "namespace": PLACE}
        obj = {"apiVersion": "dayfly.dev/v1", "kind": kind, "metadata": meta, "spec": spec}
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(obj))

    route = {"host": "shop.example", "path": "/x", "targets": [{"function": "spy"}]}
    apply("Route", "shop", route)
    until(lambda: said("route", "shop", "Accepted") == "False", "a host that was not granted is not refused")
    cluster.dayfly("route", "grant", "shop.example", "--namespace", PLACE)
    until(lambda: said("route", "shop") == "True", "the route is not taken over")
    apply("Flow", "one", {"steps": [{"name": "a", "do": "call", "function": "spy"}]})
    until(lambda: said("flow", "one") == "True", "the flow is not taken over")
    assert "one" in cluster.dayfly("flow", "list")
    for kind, name in (("route", "shop"), ("flow", "one")):
        cluster.kubectl("-n", PLACE, "delete", f"{kind}.dayfly.dev", name)
    until(lambda: "one" not in cluster.dayfly("flow", "list"), "the flow does not go")


def test_what_functions_print_is_in_their_log(cluster: Installation) -> None:
    until(
        lambda: "it was asked" in cluster.dayfly("logs", "teller"),
        "the function's line does not come",
        lambda: cluster.dayfly("logs", "teller"),
    )
    told = [line for line in cluster.dayfly("logs", "teller").splitlines() if "sandbox: " in line]
    assert [line for line in told if "in this pod" in line]
    assert not [line for line in told if "systemd-run" in line or "doctor" in line], "nobody does that in a pod"


def test_a_call_for_later_is_made(cluster: Installation) -> None:
    response = cluster.http.post(f"{cluster.url}/async-function/rolled", content="later")
    assert response.status_code == 202, response.text
    call = response.headers["X-Call-Id"]
    until(
        lambda: json.loads(cluster.dayfly("queue", "get", call, "-o", "json"))["state"] == "done",
        "the queue does not make the call",
        lambda: cluster.dayfly("queue", "get", call, "-o", "json"),
    )


def test_a_changed_password_of_the_queue_is_taken_over_and_no_call_is_lost(cluster: Installation) -> None:
    word = base64.b64encode(b"wchanged").decode()
    patch = json.dumps({"data": {"queue-password": word}})
    cluster.kubectl("-n", NAMESPACE, "patch", "secret", "dayfly-internal", "--type=merge", "-p", patch)
    # The kubelet brings a Secret anew when it looks at its pod, which it does at once where the pod has changed.
    cluster.kubectl("-n", NAMESPACE, "annotate", "pods", "--all", "dayfly-test/looked-at=again", "--overwrite")
    accepted: list[str] = []

    def taken_over() -> bool:
        response = cluster.http.post(f"{cluster.url}/async-function/rolled", content="meanwhile")
        if response.status_code == 202:
            accepted.append(response.headers["X-Call-Id"])
        else:
            assert response.status_code == 503, response.text
        users = cluster.kubectl("-n", NAMESPACE, "exec", "dayfly-queue-0", "--", "cat", "/tmp/nats/users.conf")
        return "wchanged" in users

    until(taken_over, "the queue's server does not hear of its password", lambda: len(accepted))
    until(
        lambda: cluster.http.post(f"{cluster.url}/async-function/rolled", content="after").status_code == 202,
        "no call is accepted after it",
    )
    for call in accepted:
        until(
            lambda: json.loads(cluster.dayfly("queue", "get", call, "-o", "json"))["state"] == "done",  # noqa: B023 - now
            f"the call {call} is lost",
        )


def test_a_function_deleted_by_kubectl_is_gone(cluster: Installation) -> None:
    cluster.kubectl("-n", PLACE, "delete", "function", "applied")
    until(lambda: cluster.call("applied").status_code == 404, "it still answers")
    until(lambda: not cluster.pods_of("applied"), "its pods are still there")
