"""A platform small enough to hold in one's head, and the command line in front of it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import msgspec
import pytest
from click.testing import CliRunner

from dayfly.cli.main import cli
from dayfly.cli.session import Session
from dayfly.model.access import Principal
from dayfly.model.budget import BudgetSpec, BudgetStanding, BudgetStatus
from dayfly.model.cost import CostReport
from dayfly.model.function import FunctionSpec
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, ReplicaId
from dayfly.model.namespace import NamespaceChange, NamespaceStatus
from dayfly.model.namespace import Usage as QuotaUsage
from dayfly.model.rollout import Fault
from dayfly.model.route import HostGrant, RouteSpec, RouteStatus
from dayfly.model.secret import KeyRotation, SecretStatus
from dayfly.model.status import FunctionState, FunctionStatus, PlatformInfo, ReplicaStatus, RevisionStatus
from dayfly.model.token import IssuedToken, TokenRequest, TokenStatus, new_token
from dayfly.model.trigger import TriggerSpec, TriggerStatus
from dayfly.model.usage import Usage

SECRET = re.compile(r"/v1/namespaces/([^/]+)/secrets(?:/([^/]+))?")
ROUTE = re.compile(r"/v1/namespaces/([^/]+)/routes(?:/([^/]+))?")
BUDGET = re.compile(r"/v1/namespaces/([^/]+)/budgets/([^/]+)")
TRIGGER = re.compile(r"/v1/namespaces/([^/]+)/triggers(?:/([^/]+)(?:/([a-z]+))?)?")
BUNDLE = re.compile(r"/v1/namespaces/([^/]+)/bundles/([^/]+)")
NAMESPACE = re.compile(r"/v1/namespaces(?:/([^/]+))?")
TOKENS = re.compile(r"/v1/(?:namespaces/([^/]+)/)?tokens(?:/([^/]+))?")
FUNCTION = re.compile(r"/v1/namespaces/([^/]+)/functions/([^/]+)(/[a-z-]+)?")


class Outcome(NamedTuple):
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str
    stdout_bytes: bytes


class Answers:
    """Answers requests from a table, those that are not in it with 404, and remembers what was asked."""

    def __init__(self) -> None:
        self.table: dict[str, object] = {}
        """What is answered, by method and path; bytes as they are, None for nothing at all."""
        self.asked: list[str] = []
        self.bodies: list[Any] = []
        """What was sent along, where anything was."""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode()}")
        if request.content:
            self.bodies.append(msgspec.json.decode(request.content))
        key = f"{request.method} {request.url.path}"
        if key not in self.table:
            return _problem(404, "not_found", f"there is nothing at {request.url.path}")
        found = self.table[key]
        if found is None:
            return httpx2.Response(204)
        return httpx2.Response(200, content=found) if isinstance(found, bytes) else _json(found)


class FakePlatform:
    """The native API's contract over a dict. `states` are the states each function goes through, one a look."""

    def __init__(self) -> None:
        self.functions: dict[tuple[str, str], FunctionStatus] = {}
        self.bundles: dict[tuple[str, str], bytes] = {}
        self.secrets: dict[tuple[str, str], bytes] = {}
        self.users: dict[str, tuple[str, ...]] = {}
        self.namespaces: dict[str, NamespaceChange] = {"openfaas-fn": NamespaceChange()}
        self.tokens: dict[str, TokenStatus] = {}
        self.routes: dict[tuple[str, str], RouteStatus] = {}
        self.triggers: dict[tuple[str, str], TriggerStatus] = {}
        self.hosts: set[tuple[str, str]] = set()
        self.caller = Principal("admin", "admin", None)
        self.requests: list[httpx2.Request] = []
        self.queue: Callable[[httpx2.Request], httpx2.Response] | None = None
        self.flows: Callable[[httpx2.Request], httpx2.Response] | None = None
        self.source: Callable[[httpx2.Request], httpx2.Response] | None = None
        self.live: Callable[[httpx2.Request], httpx2.Response] | None = None
        self.watch = Answers()
        """Alerts and reports."""
        self.states: list[FunctionState] = ["starting", "ready"]
        self.reason = ""
        self.fault: Fault = ""
        self.looks: list[dict[str, Any]] = []
        """What changes about a function with each look at it, after `states` have come to their end."""
        self.history: list[RevisionStatus] = []
        self.usages: list[Usage] = []
        """What functions do and use, one a look; the last one again and again."""
        self.budgets: list[BudgetStatus] = []
        self.kept: dict[tuple[str, str], BudgetSpec] = {}
        """The budgets, by namespace and name."""
        self.costs: CostReport | None = None
        self.build_log = ""
        self.log: list[str] = []
        self.invoke: Callable[[httpx2.Request], httpx2.Response] = lambda request: httpx2.Response(
            200, content=b"echo:" + request.content, headers={"X-Call-Id": "call-1"}
        )
        self.refuse: httpx2.Response | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        if self.refuse is not None:
            return self.refuse
        path = request.url.path
        if path.startswith("/function/"):
            return self.invoke(request)
        if self.source is not None and path.endswith("/source"):
            return self.source(request)
        if self.live is not None and path == "/v1/functions/live":
            return self.live(request)
        if path.startswith(("/v1/alerts", "/v1/reports")):
            return self.watch(request)
        if self.flows is not None and "/flow" in path:
            return self.flows(request)
        if self.queue is not None and (
            "/async-function/" in path
            or "/calls" in path
            or path.endswith(("/records", "/rollups"))
            or "/dead-letters" in path
        ):
            return self.queue(request)
        if path.startswith("/async-function/"):
            return httpx2.Response(202, headers={"X-Call-Id": "call-2"})
        if path == "/healthz":
            return httpx2.Response(200, text="OK")
        if path == "/v1/info":
            return _json(self._info())
        if (match := BUNDLE.fullmatch(path)) is not None:
            return self._bundle(request, match[1], match[2])
        if path == "/v1/secrets/rotate-key":
            return _json(KeyRotation(key="bbbb", retired=("aaaa",), left=("cccc",), secrets=len(self.secrets)))
        if (match := NAMESPACE.fullmatch(path)) is not None:
            return self._namespace(request, match[1] or "")
        if (match := TOKENS.fullmatch(path)) is not None:
            return self._token(request, match[1], match[2] or "")
        if (match := SECRET.fullmatch(path)) is not None:
            return self._secret(request, match[1], match[2] or "")
        if (match := ROUTE.fullmatch(path)) is not None:
            return self._route(request, match[1], match[2] or "")
        if (match := TRIGGER.fullmatch(path)) is not None:
            return self._trigger(request, (match[1], match[2] or ""), match[3] or "")
        if path.startswith("/v1/hosts"):
            return self._host(request, path.removeprefix("/v1/hosts").removeprefix("/"))
        if path.endswith("/usage"):
            return _json(self.usages.pop(0) if len(self.usages) > 1 else self.usages[0])
        if path.endswith("/budgets"):
            return _json(self.budgets)
        if (match := BUDGET.fullmatch(path)) is not None:
            return self._budget(request, match[1], match[2])
        if path.endswith("/costs"):
            return _json(self.costs)
        if path.endswith("/functions"):
            namespace = path.split("/")[3]
            return _json([one for (where, _), one in self.functions.items() if where == namespace])
        match = FUNCTION.fullmatch(path)
        assert match is not None, path
        return self._function(request, match[1], match[2], match[3] or "")

    def add(self, name: str, **changes: Any) -> FunctionStatus:
        """Put a ready function there."""
        spec = changes.pop("spec", FunctionSpec(name=name))
        status = FunctionStatus(
            spec=spec, revision=1, state="ready", desired_replicas=1, ready_replicas=1, invocations=3,
            created_unix_ms=1_700_000_000_000, updated_unix_ms=1_700_000_000_000,
            url=f"http://127.0.0.1:8080/function/{name}",
            replicas=(ReplicaStatus(id="abcdefghij", phase="ready", revision=1, started_unix_ms=0),),
        )  # fmt: skip
        status = msgspec.structs.replace(status, **changes)
        self.functions[spec.namespace, name] = status
        return status

    def _info(self) -> PlatformInfo:
        return PlatformInfo(
            version="9.9.9", provider="fake", architecture="x86_64", default_namespace="openfaas-fn",
            gateway_url="http://127.0.0.1:8080", console_url="", metrics_url="",
            functions=len(self.functions), gateways=1, caller=self.caller,
        )  # fmt: skip

    def _bundle(self, request: httpx2.Request, namespace: str, digest: str) -> httpx2.Response:
        if request.method == "HEAD":
            return httpx2.Response(200 if (namespace, digest) in self.bundles else 404)
        self.bundles[namespace, digest] = request.content
        return httpx2.Response(201, json={"digest": digest, "size_bytes": len(request.content)})

    def _route(self, request: httpx2.Request, namespace: str, name: str) -> httpx2.Response:
        if not name:
            return _json([one for (where, _), one in self.routes.items() if where == namespace])
        present = (namespace, name) in self.routes
        if request.method == "PUT":
            if present and request.url.params["mode"] == "create":
                return _problem(409, "conflict", f"the route {name} exists already")
            spec = msgspec.json.decode(request.content, type=RouteSpec)
            self.routes[namespace, name] = RouteStatus(
                spec=spec, created_unix_ms=1_700_000_000_000, updated_unix_ms=1_700_000_000_000
            )
            return _json(self.routes[namespace, name])
        if not present:
            return _problem(404, "not_found", f"there is no route {name}")
        if request.method == "DELETE":
            del self.routes[namespace, name]
            return httpx2.Response(204)
        return _json(self.routes[namespace, name])

    def _budget(self, request: httpx2.Request, namespace: str, name: str) -> httpx2.Response:
        if request.method == "PUT":
            self.kept[namespace, name] = msgspec.json.decode(request.content, type=BudgetSpec)
        elif (namespace, name) not in self.kept:
            return _problem(404, "not_found", f"there is no budget {name}")
        elif request.method == "DELETE":
            del self.kept[namespace, name]
            return httpx2.Response(204)
        return _json(BudgetStanding(spec=self.kept[namespace, name], created_unix_ms=1, updated_unix_ms=1))

    def _trigger(self, request: httpx2.Request, key: tuple[str, str], verb: str) -> httpx2.Response:
        if not key[1]:
            return _json([one for (where, _), one in self.triggers.items() if where == key[0]])
        if request.method == "PUT":
            if key in self.triggers and request.url.params["mode"] == "create":
                return _problem(409, "conflict", f"the trigger {key[1]} exists already")
            spec = msgspec.json.decode(request.content, type=TriggerSpec)
            self.triggers[key] = TriggerStatus(spec=spec, created_unix_ms=1, updated_unix_ms=1)
        if key not in self.triggers:
            return _problem(404, "not_found", f"there is no trigger {key[1]}")
        if request.method == "DELETE":
            del self.triggers[key]
            return httpx2.Response(204)
        if verb == "test":
            return _json({"delivered": not self.triggers[key].spec.filter})
        if verb:
            spec = msgspec.structs.replace(self.triggers[key].spec, paused=verb == "pause")
            self.triggers[key] = TriggerStatus(spec=spec, created_unix_ms=1, updated_unix_ms=1)
        return _json(self.triggers[key])

    def _host(self, request: httpx2.Request, host: str) -> httpx2.Response:
        host = "" if host == "*" else host
        if request.method == "PUT":
            self.hosts.add((host, msgspec.json.decode(request.content)["namespace"]))
        if request.method == "DELETE":
            self.hosts.discard((host, request.url.params["namespace"]))
            return httpx2.Response(204)
        grants = [HostGrant(host=each, namespace=NamespaceName(to)) for each, to in sorted(self.hosts)]
        return _json(next(one for one in grants if one.host == host) if request.method == "PUT" else grants)

    def _namespace(self, request: httpx2.Request, name: str) -> httpx2.Response:
        if not name:
            return _json(sorted(self.namespaces))
        present = name in self.namespaces
        if request.method == "POST" and present:
            return _problem(409, "conflict", f"the namespace {name} exists already")
        if request.method != "POST" and not present:
            return _problem(404, "not_found", f"there is no namespace {name}")
        inside = sum(where == name for where, _ in self.functions)
        if request.method == "DELETE":
            if inside and "force" not in request.url.params:
                return _problem(409, "conflict", f"the namespace {name} has {inside} functions")
            del self.namespaces[name]
            return httpx2.Response(204)
        if request.method in ("POST", "PUT"):
            self.namespaces[name] = msgspec.json.decode(request.content, type=NamespaceChange)
        about = msgspec.structs.asdict(self.namespaces[name])
        used = QuotaUsage(functions=inside, replicas=2, memory_bytes=512 * 1024**2, cpu_millicores=1500)
        return _json(NamespaceStatus(name=name, used=used, created_unix_ms=1_700_000_000_000, **about))

    def _token(self, request: httpx2.Request, namespace: str | None, token: str) -> httpx2.Response:
        if request.method == "POST":
            wanted = msgspec.json.decode(request.content, type=TokenRequest)
            token, text = new_token()
            self.tokens[token] = TokenStatus(
                id=token, namespace=namespace, role=wanted.role, note=wanted.note, created_unix_ms=1_700_000_000_000,
                expires_unix_ms=1_700_000_000_000 + int(wanted.life_s * 1000) if wanted.expires else 0,
            )  # fmt: skip
            return _json(IssuedToken(token=text, status=self.tokens[token]), 201)
        if request.method == "GET":
            return _json([one for one in self.tokens.values() if namespace in (None, one.namespace)])
        if token not in self.tokens or namespace not in (None, self.tokens[token].namespace):
            return _problem(404, "not_found", f"there is no token {token}")
        del self.tokens[token]
        return httpx2.Response(204)

    def _secret(self, request: httpx2.Request, namespace: str, name: str) -> httpx2.Response:
        present = (namespace, name) in self.secrets
        if request.method == "GET":
            return _json([self._told(*key) for key in self.secrets if key[0] == namespace])
        if request.method == "DELETE" and present:
            if self.users.get(name) and "force" not in request.url.params:
                return _problem(409, "conflict", f"the secret {name} is used by {self.users[name][0]}")
            del self.secrets[namespace, name]
            return httpx2.Response(204)
        mode = request.url.params.get("mode", "upsert")
        if present and mode == "create":
            return _problem(409, "conflict", f"the secret {name} exists already")
        if not present and (request.method == "DELETE" or mode == "update"):
            return _problem(404, "not_found", f"there is no secret {name}")
        self.secrets[namespace, name] = request.content
        return _json(self._told(namespace, name), 200 if present else 201)

    def _told(self, namespace: str, name: str) -> SecretStatus:
        return SecretStatus(
            namespace=NamespaceName(namespace), name=name, version=1, created_unix_ms=0,
            updated_unix_ms=1_700_000_000_000, functions=self.users.get(name, ()),
        )  # fmt: skip

    def _function(self, request: httpx2.Request, namespace: str, name: str, rest: str) -> httpx2.Response:
        key = (namespace, name)
        if request.method == "PUT":
            spec = msgspec.json.decode(request.content, type=FunctionSpec)
            assert spec.runtime == "image" or (namespace, spec.bundle) in self.bundles
            revision = self.functions[key].revision + 1 if key in self.functions else 1
            first = self.looks.pop(0) if self.looks else {"state": "building", "replicas": ()}
            return _json(self.add(name, **{"spec": spec, "revision": revision, **first}), 201)
        if key not in self.functions:
            return _problem(404, "not_found", f"there is no function {name}")
        if request.method == "DELETE":
            del self.functions[key]
            return httpx2.Response(204)
        if rest == "/scale":
            replicas = msgspec.json.decode(request.content)["replicas"]
            self.functions[key] = msgspec.structs.replace(
                self.functions[key], desired_replicas=1 if replicas is None else replicas
            )
        elif rest == "/logs":
            return httpx2.Response(200, content=b"\n".join(msgspec.json.encode(line) for line in self._lines(*key)))
        elif rest == "/revisions":
            return _json(self.history)
        elif rest == "/build-log":
            return httpx2.Response(200, text=self.build_log)
        elif self.functions[key].state in ("building", "starting") and self.states:
            self.functions[key] = msgspec.structs.replace(
                self.functions[key], state=self.states.pop(0), reason=self.reason, fault=self.fault
            )
        elif self.looks and not rest:
            self.functions[key] = msgspec.structs.replace(self.functions[key], **self.looks.pop(0))
        return _json(self.functions[key])

    def _lines(self, namespace: str, name: str) -> list[LogLine]:
        key = FunctionKey(NamespaceName(namespace), FunctionName(name))
        return [
            LogLine(1_700_000_000_123_000_000 + at, key, ReplicaId("abcdefghij"), "stdout", "", text)
            for at, text in enumerate(self.log)
        ]


def _problem(status: int, code: str, detail: str) -> httpx2.Response:
    problem = {"code": code, "detail": detail, "title": "x", "status": status}
    return httpx2.Response(status, json=problem, headers={"Content-Type": "application/problem+json"})


def _json(value: object, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, content=msgspec.json.encode(value), headers={"Content-Type": "application/json"})


@pytest.fixture
def platform() -> FakePlatform:
    """A platform with no function."""
    return FakePlatform()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and working folder, so that no test sees this machine's own platform or logins."""
    for name in ("DAYFLY_URL", "OPENFAAS_URL", "XDG_CONFIG_HOME", "DAYFLY_CA_FILE", "DAYFLY_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAYFLY_DATA_DIR", str(tmp_path / "data"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def dayfly(platform: FakePlatform) -> Callable[..., Outcome]:
    """Run the command line against the fake platform."""

    def run(*args: str, stdin: bytes | str = b"") -> Outcome:
        session = Session(httpx2.MockTransport(platform))
        result = CliRunner().invoke(cli, list[str](args), input=stdin, obj=session)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)

    return run
