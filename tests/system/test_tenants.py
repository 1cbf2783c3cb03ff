"""Two tenants of one installation, each with nothing but a token, and the command line in front of the real program."""

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.system.conftest import end
from tests.system.driver import DEADLINE_S, Platform, Reply, eventually, kill, program

QUOTA = "functions=3,replicas=2,memory=1Gi,body=64Ki"
WHOSE = """
import os
from pathlib import Path

FOLDER = Path(os.environ.get("DAYFLY_SECRETS", "/none"))

def handle(event, context):
    print("asked with", event.text, flush=True)
    return (FOLDER / "whose").read_text() if (FOLDER / "whose").is_file() else "nobody's"
"""
RESTING = ("-l", "com.openfaas.scale.zero=true", "-l", "com.openfaas.scale.zero-duration=1h")
REFUSED = 77


class Tenant(Platform):
    """Somebody at another machine: no data folder here, one login, and one namespace."""

    def __init__(self, folder: Path, owner: Platform, namespace: str, role: str) -> None:
        self.folder, self.owner, self.namespace = folder, owner, namespace
        self.gateway: str = owner.status()["gateway_url"]
        super().__init__(folder / "none", {"XDG_CONFIG_HOME": str(folder / "config"), "DAYFLY_URL": self.gateway})
        folder.mkdir()
        self.token = owner.ok("token", "create", "-n", namespace, "--role", role, "--expires", "30d").strip()
        said = self.ok("login", "--token-stdin", stdin=self.token)
        assert said == f"credentials saved for token {self.token_id} {self.gateway}\n"

    @property
    def token_id(self) -> str:
        return self.token.split("_")[1]

    def deploy(self, name: str, *options: str) -> None:
        """Deploy the one program that there is; all tenants have the same."""
        code = self.folder.parent / "code"
        code.mkdir(exist_ok=True)
        (code / "handler.py").write_text(WHOSE)
        self.ok("deploy", name, "--handler", str(code), "--lang", "python", "--memory-limit", "128Mi", *options)

    def api(self, method: str, path: str, data: object = None, *, listener: str = "gateway_url") -> Reply:
        """Ask as OpenFaaS's clients do: the token in the password's place."""
        pair = base64.b64encode(f"admin:{self.token}".encode()).decode()
        body = None if data is None else json.dumps(data).encode()
        return self.owner.ask(method, path, body, headers={"Authorization": f"Basic {pair}"}, listener=listener)

    def has_logged(self, text: str) -> bool:
        """Whether its function has."""
        return text in self.ok("logs", "hello")

    def refused(self, *arguments: str) -> bool:
        """Whether a command is not for this tenant."""
        return self.run(*arguments).code == REFUSED


class Town(NamedTuple):
    """Who there is."""

    owner: Platform
    ant: Tenant
    bee: Tenant


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """A platform, and two tenants whose functions have the same name and the same code."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        owner = Platform(folder / "data", {"DAYFLY_SECRETS_KEY_FILE": str(folder / "keys" / "dayfly.key")})
        try:
            owner.start()
            assert owner.ok("namespace", "create", "ant", "--quota", QUOTA) == "Namespace Created: ant\n"
            owner.ok("namespace", "create", "bee", "-l", "team=bee")
            ant, bee = Tenant(folder / "ant", owner, "ant", "admin"), Tenant(folder / "bee", owner, "bee", "deploy")
            for tenant in (ant, bee):
                tenant.ok("secret", "create", "whose", stdin=f"the {tenant.namespace}'s")
                tenant.deploy("hello", "--secret", "whose")
            yield Town(owner, ant, bee)
        finally:
            end(owner)


def test_each_has_the_same_name_to_itself(town: Town) -> None:
    for tenant in (town.ant, town.bee):
        assert tenant.ok("invoke", "hello") == f"the {tenant.namespace}'s"
        assert tenant.ok("list", "-q") == "hello\n"
        assert tenant.ok("namespace", "list") == f"Namespaces:\n - {tenant.namespace}\n"
        assert tenant.ok("secret", "list", "-o", "name") == "whose\n"
        assert (
            town.owner.ask("POST", f"/function/hello.{tenant.namespace}").body == f"the {tenant.namespace}'s".encode()
        )
    assert town.owner.ask("POST", "/function/hello").status == 404, "neither is in the default namespace"
    assert town.owner.ok("namespace", "list", "-o", "name") == "ant\nbee\nopenfaas-fn\n"


def test_neither_reaches_what_is_the_others(town: Town) -> None:
    ant, bee = town.ant, town.bee
    before = town.owner.ok("describe", "hello.bee", "-o", "json")
    for command in (
        ("list", "-n", "bee"), ("describe", "hello.bee"), ("remove", "hello.bee"), ("scale", "hello.bee", "0"),
        ("logs", "hello.bee"), ("rollback", "hello.bee"), ("revisions", "hello.bee"), ("secret", "list", "-n", "bee"),
        ("secret", "create", "new", "-n", "bee", "--from-literal", "x"), ("secret", "remove", "whose", "-n", "bee"),
        ("namespace", "get", "bee"), ("namespace", "create", "cat"), ("namespace", "remove", "bee", "--force"),
        ("namespace", "update", "ant", "--quota", "replicas=none"), ("token", "list", "-n", "bee"),
        ("token", "list", "-A"),
        ("token", "create", "-n", "bee", "--role", "view"), ("token", "create", "-A", "--role", "view"),
        ("token", "revoke", bee.token_id, "-n", "bee"), ("secret", "rotate-key"), ("describe", "hello.nowhere"),
    ):  # fmt: skip
        assert ant.refused(*command), command
    code = ant.folder.parent / "code"
    assert ant.refused("deploy", "hello", "--handler", str(code), "--lang", "python", "-n", "bee")
    assert bee.refused("token", "create", "--role", "view"), "deploy is not admin"
    # OpenFaaS's clients name a namespace in the query, in the body, and by the function's suffix.
    for reply in (
        ant.api("GET", "/system/functions?namespace=bee"), ant.api("GET", "/system/function/hello?namespace=bee"),
        ant.api("GET", "/system/function/hello.bee"), ant.api("GET", "/system/logs?name=hello&namespace=bee"),
        ant.api("DELETE", "/system/functions", {"functionName": "hello", "namespace": "bee"}),
        ant.api("POST", "/system/functions", {"service": "new", "image": "x", "namespace": "bee"}),
        ant.api("POST", "/system/scale-function/hello", {"serviceName": "hello", "replicas": 0, "namespace": "bee"}),
    ):  # fmt: skip
        assert reply.status == 403, reply
    assert ant.api("GET", "/system/namespaces").json() == ["ant"]
    assert [one["namespace"] for one in ant.api("GET", "/system/functions").json()] == ["ant"]
    after = town.owner.ok("describe", "hello.bee", "-o", "json")
    assert [json.loads(text)["revision"] for text in (before, after)] == [1, 1]
    assert bee.ok("invoke", "hello") == "the bee's"


def test_code_is_of_the_namespace_it_was_uploaded_to(town: Town) -> None:
    theirs = json.loads(town.bee.ok("describe", "hello", "-o", "json"))["spec"]
    own = town.bee.folder / "own"
    own.mkdir()
    (own / "handler.py").write_text("PRIVATE = 1\n\ndef handle(event, context): ...\n")
    town.bee.ok("deploy", "own", "--handler", str(own), "--lang", "python")
    digest = json.loads(town.bee.ok("describe", "own", "-o", "json"))["spec"]["bundle"]
    assert digest != theirs["bundle"]
    stolen = town.ant.api(
        "PUT", "/v1/namespaces/ant/functions/thief", {"name": "thief", "namespace": "ant", "bundle": digest}
    )
    assert (stolen.status, b"is not here; upload it to /v1/namespaces/ant/bundles/" in stolen.body) == (400, True), (
        stolen.body
    )
    assert town.ant.api("HEAD", f"/v1/namespaces/ant/bundles/{digest}").status == 404
    town.bee.ok("remove", "own")


def test_logs_and_figures_are_of_the_own_namespace(town: Town) -> None:
    for tenant in (town.ant, town.bee):
        tenant.ok("invoke", "hello", stdin=f"canary of {tenant.namespace}")
        eventually("it is in the log", partial(tenant.has_logged, f"canary of {tenant.namespace}"))
    assert "canary of bee" not in town.ant.ok("logs", "hello")
    assert town.ant.refused("logs", "hello.bee", "--follow")
    everything = town.owner.ask("GET", "/metrics", listener="metrics_url", headers=as_owner(town.owner)).body
    assert b'"hello.bee"' in everything
    assert b'"hello.ant"' in everything
    for listener in ("gateway_url", "metrics_url"):
        if listener == "metrics_url":
            own = town.ant.api("GET", "/metrics", listener=listener)
        else:
            own = town.ant.api("GET", "/v1/namespaces/ant/metrics")
        assert own.status == 200, listener
        assert b'"hello.ant"' in own.body
        assert b'bee"' not in own.body
    assert town.ant.api("GET", "/v1/namespaces/bee/metrics").status == 403
    assert town.owner.ask("GET", "/metrics", listener="metrics_url").status in (200, 401)


def as_owner(owner: Platform) -> dict[str, str]:
    return {"Authorization": f"Bearer {(owner.data_dir / 'run' / 'token').read_text()}"}


def test_a_quota_refuses_what_it_has_no_room_for_and_says_what_would_help(town: Town) -> None:
    owner, ant = town.owner, town.ant
    used = json.loads(ant.ok("namespace", "get", "ant", "-o", "json"))["used"]
    assert (used["functions"], used["replicas"], used["memory_bytes"]) == (1, 1, 128 * 1024**2)
    refused = ant.run("scale", "hello", "3")
    assert refused.code == 75
    assert "replicas=2" in refused.err
    command = refused.err[refused.err.index("dayfly namespace update ant --quota ") :].split("`")[0].split()
    assert command[-1] == "replicas=3"
    owner.ok(*command[1:])
    quota = json.loads(ant.ok("namespace", "get", "ant", "-o", "json"))["quota"]
    assert (quota["functions"], quota["replicas"], quota["body"]) == (3, 3, "64Ki"), "the rest stays as it is"
    ant.ok("scale", "hello", "3")
    eventually("they are there", lambda: json.loads(ant.ok("describe", "hello", "-o", "json"))["ready_replicas"] == 3)
    ant.ok("scale", "hello", "1")
    owner.ok("namespace", "update", "ant", "--quota", QUOTA)
    eventually(
        "they are gone", lambda: json.loads(ant.ok("namespace", "get", "ant", "-o", "json"))["used"]["replicas"] == 1
    )


def test_more_functions_than_replicas_take_turns(town: Town) -> None:
    owner, ant = town.owner, town.ant
    for name in ("first", "second"):
        ant.deploy(name, *RESTING)
    refused = ant.run("deploy", "third", "--handler", str(ant.folder.parent / "code"), "--lang", "python")
    assert refused.code == 75
    assert "has 3 functions and may have 3" in refused.err
    for name in ("first", "second", "first"):
        assert owner.ask("POST", f"/function/{name}.ant").status == 200
        assert json.loads(ant.ok("namespace", "get", "ant", "-o", "json"))["used"]["replicas"] <= 2
    assert ant.ok("invoke", "hello") == "the ant's", "what is always awake was let alone"
    ant.ok("remove", "first", "second")


def test_bodies_have_the_limit_of_the_function_or_of_the_namespace(town: Town) -> None:
    ant = town.ant
    assert town.owner.ask("POST", "/function/hello.ant", b"a" * 65536).status == 200
    refused = town.owner.ask("POST", "/function/hello.ant", b"a" * 65537)
    assert refused.status == 413
    assert b"65536 bytes" in refused.body
    assert town.owner.ask("POST", "/function/hello.bee", b"a" * 65537).status == 200
    ant.deploy("hello", "--secret", "whose", "--max-body", "1Ki")
    assert town.owner.ask("POST", "/function/hello.ant", b"a" * 1024).status == 200
    refused = town.owner.ask("POST", "/function/hello.ant", b"a" * 1025)
    assert refused.status == 413
    assert b"max_body" in refused.body
    too_much = ant.run(
        "deploy", "hello", "--handler", str(ant.folder.parent / "code"), "--lang", "python", "--max-body", "65Ki"
    )
    assert (too_much.code, "max_body: 65Ki is more than the 64Ki" in too_much.err) == (75, True)


def test_a_token_is_good_after_a_crash_and_for_nothing_once_revoked(town: Town) -> None:
    owner, bee = town.owner, town.bee
    control = owner.pids("control")[0]
    kill(control)
    eventually("it is back", lambda: owner.pids("control") not in ([], [control]))
    eventually("and knows the tenant", lambda: bee.run("list", "-q").out == "hello\n")
    seer = Tenant(bee.folder / "seer", owner, "bee", "view")
    assert seer.ok("list", "-q") == "hello\n"
    assert seer.refused("remove", "hello")
    follower = subprocess.Popen(
        program("logs", "hello", "--follow"), env=seer._environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert follower.stdout is not None
        assert b"asked with" in follower.stdout.readline()
        assert owner.ok("token", "revoke", seer.token_id, "-n", "bee") == f"Token Revoked: {seer.token_id}\n"
        follower.communicate(timeout=DEADLINE_S)
    finally:
        follower.kill()
    assert seer.refused("list")
    assert bee.ok("list", "-q") == "hello\n"
    eventually("who did, or tried, what is in the log", lambda: f"token {seer.token_id}" in owner.log())
    for place in (Path(folder, name) for folder, _, names in os.walk(owner.data_dir) for name in names):
        try:
            content = place.read_bytes() if place.is_file() else b""
        except FileNotFoundError:
            continue  # what runs makes files and removes them
        for tenant in (town.ant, bee, seer):
            assert tenant.token.split("_", 2)[2].encode() not in content, place


def test_a_namespace_goes_with_all_that_is_in_it(town: Town) -> None:
    owner, bee = town.owner, town.bee
    refused = owner.run("namespace", "remove", "bee")
    assert refused.code == 73
    assert "1 function" in refused.err
    assert "--force" in refused.err
    assert bee.ok("invoke", "hello") == "the bee's"
    assert owner.ok("namespace", "remove", "bee", "--force") == "Namespace Removed: bee\n"
    assert owner.ask("POST", "/function/hello.bee").status == 404
    assert bee.refused("list")
    gone = owner.run("deploy", "hello", "-n", "bee", "--handler", str(bee.folder.parent / "code"), "--lang", "python")
    assert gone.code == 66
    assert "dayfly namespace create bee" in gone.err
    eventually("its name is free again", lambda: owner.run("namespace", "create", "bee").code == 0)
    assert bee.refused("list"), "a new namespace is nobody's but its own tokens'"
    heir = Tenant(bee.folder / "heir", owner, "bee", "deploy")
    assert [heir.ok(*command, "-o", "json").strip() for command in (("list",), ("secret", "list"))] == ["[]", "[]"]
    heir.deploy("hello")
    assert heir.ok("invoke", "hello", stdin="x") == "nobody's"
    assert "canary" not in heir.ok("logs", "hello")
