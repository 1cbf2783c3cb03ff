"""A platform installed in the cluster that KUBECONFIG names, as somebody would install it, and what is done with it."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.kubernetes.volumes import CLASS, SIZE, Volumes

NEEDED = ("KUBECONFIG", "DAYFLY_TEST_BASE_IMAGE", "DAYFLY_TEST_IMAGE_LOAD")
MORTAL = "DAYFLY_TEST_NODE"
"""Names the variable that names the node that may be killed; what must outlive it is put elsewhere."""
NAMESPACE, FUNCTIONS, PLACE = "dayfly-test", "dayfly-test-functions", "openfaas-fn"
IMAGE = "dayfly/dayfly:test"
PULL_SECRET = "dayfly-test-pull"
"""The Secret with a login at a registry, which is not there until a test makes it."""
VALUES = {
    "image.reference": IMAGE, "image.pullPolicy": "Never", "image.pullSecrets": f"{{{PULL_SECRET}}}",
    "control.replicas": "2", "gateway.replicas": "2", "pool.size": "3", "pool.resources.memoryLimit": "608Mi",
    "functions.namespace": FUNCTIONS, "queue.storage": SIZE, "queue.storageClass": CLASS,
}  # fmt: skip
_SETTINGS = {"DAYFLY_CALLBACK_ALLOW": "public,dayfly-test-archives.default.svc:8000"}
"""Where archives may be fetched from, beside the Internet."""
PATIENCE_S = 120.0
_LOOK_S = 0.02


def why_none() -> str:
    """Return why there is no cluster to test on; empty when there is one."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        return f"no cluster to test on: set {', '.join(missing)} (docs/kubernetes.md, Testing)"
    return "" if shutil.which("kubectl") else "no cluster to test on: there is no kubectl on PATH"


def away_from_the_mortal() -> dict[str, Any]:
    """Return what a pod's spec says that must not be on the node that dies in these tests, where one does."""
    mortal = os.environ.get(MORTAL)
    if not mortal:
        return {}
    term = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [mortal]}
    wanted = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": wanted}}}


def until(condition: Callable[[], Any], what: str, seen: Callable[[], object] = lambda: "") -> Any:
    """Return what the condition is once it is anything; fails with what was seen when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"after {PATIENCE_S:g}s: {what}; seen: {seen()}")
        time.sleep(_LOOK_S)  # between two looks, not for something to have happened
    return found


class Installation:
    """The platform in NAMESPACE, reached as a person reaches it: by kubectl, the command line and HTTP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._values: dict[str, str] = {}
        self._forwarding: subprocess.Popen[str] | None = None
        self._volumes = Volumes(self.kubectl, IMAGE, away_from_the_mortal())
        self.environ = {
            **os.environ,
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        self.http = httpx2.Client(timeout=60, trust_env=False)

    # -- commands ----------------------------------------------------------------------------------------------------

    def run(self, *argv: str, stdin: str = "", fails: bool = False) -> str:
        """Return what a command printed; it must succeed or, with `fails`, not."""
        done = self.tried(*argv, stdin=stdin)
        assert (done.returncode != 0) == fails, f"{shlex.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if fails else "")

    def tried(self, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, whatever that is."""
        environ = self.environ | ({"DAYFLY_URL": self.url} if self.url else {})
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, env=environ, timeout=600)

    def kubectl(self, *argv: str, stdin: str = "", fails: bool = False) -> str:
        """Return what kubectl printed."""
        return self.run("kubectl", *argv, stdin=stdin, fails=fails)

    def dayfly(self, *argv: str, stdin: str = "", fails: bool = False) -> str:
        """Return what our command line printed."""
        return self.run(sys.executable, "-P", "-m", "dayfly", *argv, stdin=stdin, fails=fails)

    def objects(self, kind: str, namespace: str = "", *selectors: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        where = ["-n", namespace] if namespace else ["-A"]
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *where, "-o", "json", *selectors))["items"]
        return found

    def may(self, what: str, account: str, namespace: str = "") -> bool:
        """Whether the cluster's RBAC lets a service account do something, anywhere or in a namespace."""
        where = ["-n", namespace] if namespace else ["-A"]
        argv = ["kubectl", "auth", "can-i", *what.split(), *where, f"--as=system:serviceaccount:{account}"]
        done = subprocess.run(argv, capture_output=True, text=True, env=self.environ, timeout=60)
        assert done.stdout.strip() in ("yes", "no"), done.stderr
        return done.stdout.strip() == "yes"

    # -- life --------------------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Build the image, hand it to the nodes, and install."""
        tar = str(self.folder / "dayfly.tar")
        self.dayfly("images", "build", "--base", os.environ["DAYFLY_TEST_BASE_IMAGE"], "--name", IMAGE, "--output", tar)
        self.load(tar)
        self._volumes.set_up()
        self.install(VALUES)

    def renew_volumes(self) -> None:
        """Have volumes that nobody has claimed yet, with nothing on them."""
        self._volumes.tear_down()
        self._volumes.set_up()

    def load(self, tar: str) -> None:
        """Have the nodes have an image."""
        self.run(*shlex.split(os.environ["DAYFLY_TEST_IMAGE_LOAD"]), tar)

    def install(self, values: Mapping[str, str]) -> None:
        """Install, or change of what is installed what these say."""
        self._values |= values
        self._install(self._values)

    def refuses(self, values: Mapping[str, str]) -> str:
        """Return why what is installed is not changed to what these say."""
        return self._install({**self._values, **values}, fails=True)

    def _install(self, values: Mapping[str, str], *, fails: bool = False) -> str:
        settings = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        file = self.folder / "values.json"
        file.write_text(json.dumps({"settings": [{"name": key, "value": text} for key, text in _SETTINGS.items()]}))
        given = ("--namespace", NAMESPACE, "--values", str(file), *settings, "--timeout", "5m")
        return self.dayfly("install", *given, fails=fails)

    def tear_down(self) -> None:
        """Uninstall all of it, where it is still there."""
        self.let_go()
        self.http.close()
        if any(each["metadata"]["name"] == NAMESPACE for each in self.objects("namespaces")):
            self.dayfly("uninstall", "--namespace", NAMESPACE, "--everything")
        self._volumes.tear_down()

    def reach(self, pod: str = "") -> None:
        """Have a gateway, or this one, at a port of this machine, and log in."""
        self.forward(pod)
        self.log_in()

    def log_in(self) -> None:
        """Log in as the administrator."""
        self.dayfly("login", "--gateway", self.url, "--password-stdin", stdin=self.password)

    def forward(self, pod: str = "") -> None:
        """Have a gateway, or this one, at a port of this machine."""
        self.let_go()
        what = (f"pod/{pod}", ":8080") if pod else ("service/dayfly-gateway", ":80")
        argv = ["kubectl", "-n", NAMESPACE, "port-forward", *what]
        self._forwarding = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._forwarding.stdout is not None
        line = self._forwarding.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found is not None, f"kubectl forwards no port: {line}"
        self.url = f"http://127.0.0.1:{found[1]}"

    def let_go(self) -> None:
        """Forward no port."""
        if self._forwarding is not None:
            self._forwarding.terminate()
            self._forwarding.communicate()
            self._forwarding = None

    @property
    def authorization(self) -> dict[str, str]:
        """The administrator's login, as a request has it."""
        return {"Authorization": "Basic " + base64.b64encode(f"admin:{self.password}".encode()).decode()}

    @property
    def password(self) -> str:
        """The administrator's password, as the installation's Secret has it."""
        text = self.kubectl("-n", NAMESPACE, "get", "secret", "dayfly-admin", "-o", "jsonpath={.data.password}")
        return base64.b64decode(text).decode()

    def api(self, path: str) -> Any:
        """Return what the API says at this path, as the administrator."""
        response = self.http.get(f"{self.url}{path}", auth=("admin", self.password))
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text}"
        return response.json()

    def parts(self, component: str, *more: str) -> list[dict[str, Any]]:
        """Return the pods of a part of the platform that are not on their way out."""
        pods = self.objects("pods", NAMESPACE, "-l", ",".join((f"app.kubernetes.io/component={component}", *more)))
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    # -- functions ---------------------------------------------------------------------------------------------------

    def call(self, name: str, body: str = "", **more: Any) -> httpx2.Response:
        """Call a function."""
        return self.http.post(f"{self.url}/function/{name}", content=body, **more)

    def answers(self, name: str, text: str) -> None:
        """Wait until the function answers with just this."""
        seen: list[str] = []

        def look() -> bool:
            response = self.call(name)
            seen.append(f"{response.status_code} {response.text[:300]}")
            return response.status_code == 200 and response.text == text

        until(look, f"{name} does not answer {text!r}", lambda: seen[-1:])

    def deploy(self, name: str, code: str, *options: str) -> None:
        """Deploy a handler with the command line."""
        folder = self.folder / "code" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "handler.py").write_text(code)
        self.dayfly("deploy", name, "--handler", str(folder), "--lang", "python", *options)

    def image(self, name: str, code: str, tag: str) -> str:
        """Have the nodes have an image of this handler; return what it is called."""
        image, tar = f"dayfly-test/{name}:{tag}", self.folder / f"{name}-{tag}.tar"
        self.build(name, code, image, tar)
        self.load(str(tar))
        return image

    def build(self, name: str, code: str, image: str, tar: Path) -> None:
        """Have our own builder make an image of this handler, in a file."""
        folder = self.folder / "code" / tar.stem
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "handler.py").write_text(code)
        base = os.environ["DAYFLY_TEST_BASE_IMAGE"]
        self.dayfly("build", name, "--handler", str(folder), "--base", base, "--image", image, "--output", str(tar))

    def apply(self, name: str, code: str, namespace: str = PLACE, *options: str, fails: bool = False) -> str:
        """Apply a Function with inline code by kubectl."""
        obj = manifest(name, code, namespace)
        return self.kubectl("apply", "-f", "-", *options, stdin=json.dumps(obj), fails=fails)

    def pods_of(self, name: str) -> list[dict[str, Any]]:
        """Return the pods of a function's replicas that are not on their way out."""
        pods = self.objects("pods", FUNCTIONS, "-l", f"dayfly.dev/function={name},dayfly.dev/role=function")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def scaled(self, name: str, count: int) -> None:
        """Wait until the function has so many pods, and all of the count are said to be ready."""
        until(
            lambda: len(self.pods_of(name)) == count and self.ready(name) == count,
            f"{name} does not come to {count} replicas",
            lambda: (len(self.pods_of(name)), self.ready(name)),
        )

    def ready(self, name: str) -> int:
        """Return how many ready replicas the object's status tells of."""
        status = json.loads(self.kubectl("-n", PLACE, "get", "function", name, "-o", "json")).get("status", {})
        return int(status.get("readyReplicas", 0))


def manifest(name: str, code: str, namespace: str = PLACE, **spec: Any) -> Mapping[str, Any]:
    """Return a Function's object with its code in it."""
    return {
        "apiVersion": "dayfly.dev/v1", "kind": "Function", "metadata": {"name": name, "namespace": namespace},
        "spec": {"lang": "python", "runtime": "python", "source": {"handler.py": code}, **spec},
    }  # fmt: skip


def saying(text: str) -> str:
    """Return a handler that always answers this."""
    return f"def handle(event, context):\n    return {text!r}\n"
