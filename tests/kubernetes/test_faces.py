"""The same tools as on one machine: a stack file by the command line's own login, OpenFaaS's requests, the page."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect
from tests.compat_openfaas import golike
from tests.compat_openfaas.wire import Wire, deployment
from tests.kubernetes.installation import NAMESPACE, PLACE, Installation, saying, until
from tests.system.browser import Watched, chromium
from tests.system.console import invoke, open_function, sign_in

pytestmark = pytest.mark.timeout(600)
_DOCS = Path(__file__).parents[2] / "docs" / "kubernetes.md"
_STACK = """\
version: 1.0
provider:
  name: openfaas
functions:
  stacked:
    lang: python
    handler: ./stacked
    image: stacked:latest
    environment:
      GREETING: hello
    labels:
      team: one
"""
_GREETER = """\
import os

def handle(event, context):
    return os.environ["GREETING"] + " " + event.text
"""


@contextlib.contextmanager
def _forwarded(cluster: Installation, *argv: str, said: str) -> Iterator[str]:
    """Have a command run that forwards a port, and says where in words that `said` finds; yield what it found."""
    environ = cluster.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if found := re.search(said, line):
                    yield found[1]
                    return
            pytest.fail(f"it forwards nothing: {''.join(lines)}")
        finally:
            process.terminate()


def test_a_stack_file_is_deployed_by_kubectls_own_rights(cluster: Installation) -> None:
    folder = cluster.folder / "stack"
    (folder / "stacked").mkdir(parents=True)
    (folder / "stack.yaml").write_text(_STACK)
    (folder / "stacked" / "handler.py").write_text(_GREETER)
    login = (sys.executable, "-P", "-m", "dayfly", "login", "--kubernetes", "--namespace", NAMESPACE, "--port", "0")
    with _forwarded(cluster, *login, said=r"export DAYFLY_URL=(\S+)") as url:
        at, stack = ("--gateway", url), ("-f", str(folder / "stack.yaml"))
        cluster.dayfly("up", *stack, *at)
        until(lambda: "stacked" in cluster.dayfly("list", *at), "it is not listed")
        assert cluster.dayfly("invoke", "stacked", *at, stdin="you").strip() == "hello you"
        assert "team" in cluster.kubectl(
            "-n", PLACE, "get", "function.dayfly.dev", "stacked", "-o", "jsonpath={.spec.labels}"
        )
        cluster.dayfly("remove", *stack, *at)
        until(lambda: "stacked" not in cluster.dayfly("list", *at), "it is listed still")


def test_the_walk_of_the_docs_ends_at_a_function_that_only_holders_of_a_key_call(cluster: Installation) -> None:
    section = _DOCS.read_text().split("## From nothing to")[1].split("\n## ")[0]
    (walk,) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    host = re.findall(r"--host (\S+)", walk)[0]
    walk = walk.replace("http://127.0.0.1:31112", cluster.url).replace(
        f"https://{host}", f"-H 'Host: {host}' {cluster.url}"
    )
    folder = cluster.folder / "walk"
    folder.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = cluster.run("env", f"PATH={path}", "sh", "-ec", f"cd {folder}\n{walk}")
    assert '"status":401' in said
    assert said.endswith("Hello, Ada!\n")
    for inside in ("/function/hello", "/v1/info", "/system/functions", "/elsewhere"):
        assert cluster.http.get(f"{cluster.url}{inside}", headers={"Host": host}).status_code == 401, inside
    values = [word for word in re.findall(r"ingress\.\S+", section) if "=" in word]
    assert len(values) == 3
    how = [word for value in values for word in ("--set", value)]
    objects = yaml.safe_load_all(cluster.dayfly("install", "--dry-run", "--namespace", NAMESPACE, *how))
    (ingress,) = [each for each in objects if each and each["kind"] == "Ingress"]
    assert [each["host"] for each in ingress["spec"]["rules"]] == [host]
    cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(ingress))
    cluster.dayfly("route", "remove", "hello")
    cluster.dayfly("remove", "hello")
    cluster.dayfly("secret", "remove", "hello-keys")


def test_openfaas_requests_deploy_list_call_scale_and_remove(cluster: Installation) -> None:
    wire, auth = Wire(cluster.url, ""), cluster.authorization
    data = _bundle(saying("as OpenFaaS's clients ask"))
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    sent = wire.send("PUT", f"/v1/namespaces/{PLACE}/bundles/{digest}", data, headers=auth)
    assert sent.status in (200, 201), sent.text
    asked = deployment("wired", "", image=digest, labels={"team": "two"})
    assert wire.send("PUT", "/system/functions", asked, headers=auth).status == 404
    assert wire.send("POST", "/system/functions", asked, headers=auth).status == 202
    assert wire.eventually("wired", lambda answer: answer.status == 200).text == "as OpenFaaS's clients ask"
    listed = wire.send("GET", "/system/functions", headers=auth).read(golike.FUNCTIONS)
    assert {"team": "two"}.items() <= {each["name"]: each for each in listed}["wired"]["labels"].items()
    scaled = wire.send("POST", "/system/scale-function/wired", {"serviceName": "wired", "replicas": 2}, headers=auth)
    assert scaled.status == 202, scaled.text
    cluster.scaled("wired", 2)
    gone = wire.send("DELETE", "/system/functions", {"functionName": "wired", "namespace": PLACE}, headers=auth)
    assert gone.status == 202, gone.text
    until(lambda: wire.call("wired").status == 404, "it still answers")


def _bundle(code: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        about = tarfile.TarInfo("handler.py")
        about.size = len(code.encode())
        tar.addfile(about, io.BytesIO(code.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def test_the_page_lists_a_function_and_calls_it(cluster: Installation) -> None:
    cluster.deploy("paged", "def handle(event, context):\n    return 'on the page: ' + event.text\n")
    cluster.answers("paged", "on the page: ")
    forward = ("kubectl", "-n", NAMESPACE, "port-forward", "service/dayfly-console", ":80")
    with chromium() as browser, _forwarded(cluster, *forward, said=r"127\.0\.0\.1:(\d+)") as port:
        window = Watched(browser)
        page = window.page
        page.goto(f"http://127.0.0.1:{port}")
        sign_in(page, cluster.password)
        open_function(page, "paged")
        expect(invoke(page, "swordfish")).to_contain_text("on the page: swordfish")
        assert window.errors == []
        assert window.hosts == {f"127.0.0.1:{port}"}
    cluster.dayfly("remove", "paged")
