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
from dayfly.model.function import FunctionSpec
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, ReplicaId
from dayfly.model.rollout import Fault
from dayfly.model.status import FunctionState, FunctionStatus, PlatformInfo, ReplicaStatus, RevisionStatus

FUNCTION = re.compile(r"/v1/namespaces/([^/]+)/functions/([^/]+)(/[a-z-]+)?")


class Outcome(NamedTuple):
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str
    stdout_bytes: bytes


class FakePlatform:
    """The native API's contract over a dict. `states` are the states each function goes through, one a look."""

    def __init__(self) -> None:
        self.functions: dict[tuple[str, str], FunctionStatus] = {}
        self.bundles: dict[str, bytes] = {}
        self.requests: list[httpx2.Request] = []
        self.states: list[FunctionState] = ["starting", "ready"]
        self.reason = ""
        self.fault: Fault = ""
        self.looks: list[dict[str, Any]] = []
        """What changes about a function with each look at it, after `states` have come to their end."""
        self.history: list[RevisionStatus] = []
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
        if path == "/healthz":
            return httpx2.Response(200, text="OK")
        if path == "/v1/info":
            return _json(self._info())
        if path.startswith("/v1/bundles/"):
            return self._bundle(request, path.removeprefix("/v1/bundles/"))
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
            functions=len(self.functions), gateways=1,
        )  # fmt: skip

    def _bundle(self, request: httpx2.Request, digest: str) -> httpx2.Response:
        if request.method == "HEAD":
            return httpx2.Response(200 if digest in self.bundles else 404)
        self.bundles[digest] = request.content
        return httpx2.Response(201, json={"digest": digest, "size_bytes": len(request.content)})

    def _function(self, request: httpx2.Request, namespace: str, name: str, rest: str) -> httpx2.Response:
        key = (namespace, name)
        if request.method == "PUT":
            spec = msgspec.json.decode(request.content, type=FunctionSpec)
            assert spec.bundle in self.bundles
            revision = self.functions[key].revision + 1 if key in self.functions else 1
            first = self.looks.pop(0) if self.looks else {"state": "building", "replicas": ()}
            return _json(self.add(name, **{"spec": spec, "revision": revision, **first}), 201)
        if key not in self.functions:
            problem = {"code": "not_found", "detail": f"there is no function {name}", "title": "x", "status": 404}
            return httpx2.Response(404, json=problem, headers={"Content-Type": "application/problem+json"})
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
