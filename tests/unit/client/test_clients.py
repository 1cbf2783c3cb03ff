"""Both clients carry out the same calls: what is sent, what is read, and what a failure becomes.

Every test runs against the blocking client and the one for asyncio; `Driver` makes them look alike.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import msgspec
import pytest

from dayfly.catalog.listing import items
from dayfly.client import AsyncClient, Client, Credential
from dayfly.client.bundle import Bundle
from dayfly.client.gateway import Target
from dayfly.model import errors
from dayfly.model.alertmanager import Heard, TheirAlert, TheirMessage
from dayfly.model.builder import BuilderSecret
from dayfly.model.flow import FlowSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.glance import Glance, GlanceNews
from dayfly.model.log import LogLine
from dayfly.model.machine import PartLine
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, ReplicaId
from dayfly.model.namespace import NamespaceChange, NamespaceStatus, Quota, Usage
from dayfly.model.queued import CallState, CallStatus
from dayfly.model.rollout import Canary
from dayfly.model.secret import KeyRotation, SecretStatus
from dayfly.model.source import ChangedFile, Source, SourceChange, SourceFile, Starter
from dayfly.model.status import BundleReceipt, FunctionStatus, PlatformInfo, RevisionStatus, RollbackRequest
from dayfly.model.token import IssuedToken, TokenStatus

Handler = Callable[[httpx2.Request], httpx2.Response]
DIGEST = "sha256:" + "a" * 64
STATUS = FunctionStatus(
    spec=FunctionSpec(name="hello"), revision=2, state="ready", desired_replicas=1, ready_replicas=1,
    created_unix_ms=1, updated_unix_ms=2, url="http://g/function/hello",
)  # fmt: skip
TARGET = Target("http://127.0.0.1:1", Credential.bearer("token"))


STREAMS = ("logs", "machine_log", "follow_functions", "follow_call")


class Driver:
    """A client of either kind, its calls made to return."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.requests: list[httpx2.Request] = []
        self.answer: Handler = lambda _: httpx2.Response(200)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        return self.answer(request)

    async def handle_async(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        return self.answer(request)

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        if self.kind == "blocking":
            with Client(target=TARGET, transport=httpx2.MockTransport(self.handle)) as client:
                result = getattr(client, method)(*args, **kwargs)
                return list(result) if method in STREAMS else result
        return asyncio.run(self._call(method, args, kwargs))

    async def _call(self, method: str, args: Any, kwargs: Any) -> Any:
        async with AsyncClient(target=TARGET, transport=httpx2.MockTransport(self.handle_async)) as client:
            result = getattr(client, method)(*args, **kwargs)
            return [line async for line in result] if method in STREAMS else await result

    def reply(self, value: object, status: int = 200) -> None:
        self.answer = lambda _: httpx2.Response(status, content=msgspec.json.encode(value))

    @property
    def last(self) -> httpx2.Request:
        return self.requests[-1]


@pytest.fixture(params=["blocking", "asyncio"])
def driver(request: pytest.FixtureRequest) -> Driver:
    return Driver(request.param)


FUNCTIONS = "/v1/namespaces/openfaas-fn/functions"
SECRET = SecretStatus(
    namespace=NamespaceName("openfaas-fn"), name="a.b", version=1, created_unix_ms=1, updated_unix_ms=1,
    functions=("hello",),
)  # fmt: skip
NAMESPACE = NamespaceStatus(
    name="team-a", labels={}, annotations={}, quota=Quota(functions=1), used=Usage(replicas=2), created_unix_ms=1
)
ISSUED = IssuedToken(
    token="dayfly_4tk8zq0w1c5m_hush",
    status=TokenStatus(id="4tk8zq0w1c5m", namespace="team-a", role="deploy", created_unix_ms=1),
)
SOURCE = Source(revision=3, bundle=DIGEST, files=(SourceFile(path="handler.py", size_bytes=1, text="x"),))
CHANGE = SourceChange(base=DIGEST, files=(ChangedFile(path="handler.py", text="y"),), removed=("old.py",))
STARTER = Starter(
    name="python", description="d", needs="", runtime="python", dialect="python", process="", env={}, files=()
)
REVISION = RevisionStatus(number=1, spec=STATUS.spec, created_unix_ms=1, role="serving")


@pytest.mark.parametrize(
    ("method", "args", "sent", "reply"),
    [
        ("list_functions", (), f"GET {FUNCTIONS}", [STATUS]),
        ("list_functions", ("team-a",), "GET /v1/namespaces/team-a/functions", []),
        ("get_function", ("hello",), f"GET {FUNCTIONS}/hello", STATUS),
        ("get_function", ("hello.team-a",), "GET /v1/namespaces/team-a/functions/hello", STATUS),
        ("scale", ("hello", 3), f"POST {FUNCTIONS}/hello/scale", STATUS),
        ("list_namespaces", (), "GET /v1/namespaces", ["openfaas-fn"]),
        ("list_revisions", ("hello",), f"GET {FUNCTIONS}/hello/revisions", [REVISION]),
        ("rollback", ("hello",), f"POST {FUNCTIONS}/hello/rollback", STATUS),
        ("get_source", ("hello.team-a",), "GET /v1/namespaces/team-a/functions/hello/source", SOURCE),
        ("change_source", (CHANGE,), "POST /v1/namespaces/openfaas-fn/sources", BundleReceipt(DIGEST, 7)),
        ("list_starters", (), "GET /v1/templates", [STARTER]),
        ("promote", ("hello.team-a",), "POST /v1/namespaces/team-a/functions/hello/promote", STATUS),
        ("list_secrets", (), "GET /v1/namespaces/openfaas-fn/secrets", [SECRET]),
        ("list_secrets", ("team-a",), "GET /v1/namespaces/team-a/secrets", []),
        ("get_namespace", ("team-a",), "GET /v1/namespaces/team-a", NAMESPACE),
        ("create_namespace", ("team-a",), "POST /v1/namespaces/team-a", NAMESPACE),
        ("update_namespace", ("team-a", NamespaceChange()), "PUT /v1/namespaces/team-a", NAMESPACE),
        ("builder_secret", ("team-a",), "GET /v1/namespaces/team-a/builder-secret", BuilderSecret("team-a", "s")),
        ("list_tokens", (), "GET /v1/namespaces/openfaas-fn/tokens", [ISSUED.status]),
        ("list_tokens", ("team-a",), "GET /v1/namespaces/team-a/tokens", [ISSUED.status]),
        ("list_tokens", (None,), "GET /v1/tokens", []),
        ("create_token", ("deploy",), "POST /v1/namespaces/openfaas-fn/tokens", ISSUED),
        ("put_secret", ("a.b", b"x"), "PUT /v1/namespaces/openfaas-fn/secrets/a.b", SECRET),
        ("rotate_key", (), "POST /v1/secrets/rotate-key", KeyRotation(key="k", retired=("l",), secrets=2)),
        ("describe_api", (), "GET /v1/openapi.json", {"openapi": "3.1.0"}),
        ("info", (), "GET /v1/info", PlatformInfo(
            version="1", provider="p", architecture="a", default_namespace="d", gateway_url="", console_url="",
            metrics_url="", functions=0, gateways=1,
        )),
    ],
)  # fmt: skip
def test_calls_and_what_they_return(driver: Driver, method: str, args: tuple[Any, ...], sent: str, reply: Any) -> None:
    driver.reply(reply)
    assert driver.call(method, *args) == reply
    assert f"{driver.last.method} {driver.last.url.path}" == sent
    assert driver.last.headers["authorization"] == "Bearer token"


def test_alerts_of_another_system_are_handed_over(driver: Driver) -> None:
    driver.reply(Heard(1))
    message = TheirMessage((TheirAlert("firing", {"alertname": "Down"}),))
    assert driver.call("hear_alerts", message, namespace="team-a") == 1
    assert f"{driver.last.method} {driver.last.url.raw_path.decode()}" == "POST /v1/alerts/incoming?namespace=team-a"
    assert msgspec.json.decode(driver.last.content, type=TheirMessage) == message


def test_figures_are_a_text(driver: Driver) -> None:
    driver.answer = lambda _: httpx2.Response(200, text="up 1\n")
    assert driver.call("get_metrics", "team-a") == "up 1\n"
    assert driver.last.url.path == "/v1/namespaces/team-a/metrics"


def test_deploy_sends_the_spec(driver: Driver) -> None:
    driver.reply(STATUS, 201)
    spec = FunctionSpec(name="hello", bundle=DIGEST, env={"A": "1"})
    assert driver.call("deploy", spec) == STATUS
    assert (driver.last.method, driver.last.url.path) == ("PUT", f"{FUNCTIONS}/hello")
    assert msgspec.json.decode(driver.last.content, type=FunctionSpec) == spec
    assert driver.last.headers["content-type"] == "application/json"


def test_a_canary_goes_in_the_query(driver: Driver) -> None:
    driver.reply(STATUS)
    driver.call("deploy", FunctionSpec(name="hello"), canary=Canary(weight=10, window="30s", errors=0.5, promote=False))
    assert dict(driver.last.url.params) == {
        "canary": "10",
        "canary_window": "30s",
        "canary_errors": "0.5",
        "canary_p95": "1.5",
        "canary_calls": "50",
        "canary_promote": "false",
    }
    driver.call("deploy", FunctionSpec(name="hello"))
    assert not driver.last.url.params


def test_rollback_sends_the_revision_and_the_canary(driver: Driver) -> None:
    driver.reply(STATUS)
    for to, canary in ((None, None), (3, None), (2, Canary(weight=20))):
        driver.call("rollback", "hello", to=to, canary=canary)
        assert msgspec.json.decode(driver.last.content, type=RollbackRequest) == RollbackRequest(to, canary)


@pytest.mark.parametrize(
    ("method", "args", "kwargs"),
    [
        ("deploy", (FunctionSpec(name="hello"),), {"canary": Canary(weight=0)}),
        ("rollback", ("hello",), {"to": 0}),
        ("rollback", ("hello",), {"canary": Canary(weight=10, window="never")}),
    ],
)
def test_a_rollout_is_checked_before_it_is_sent(driver: Driver, method: str, args: Any, kwargs: Any) -> None:
    with pytest.raises(errors.InvalidRequest):
        driver.call(method, *args, **kwargs)
    assert driver.requests == []


def test_a_secret_is_sent_as_it_is_and_removed_by_name(driver: Driver) -> None:
    driver.reply(SECRET, 201)
    driver.call("put_secret", "a.b", bytes(range(256)), namespace="team-a", mode="create")
    assert driver.last.content == bytes(range(256))
    assert str(driver.last.url).endswith("/v1/namespaces/team-a/secrets/a.b?mode=create")
    driver.answer = lambda _: httpx2.Response(204)
    for force, query in ((False, {}), (True, {"force": "true"})):
        assert driver.call("remove_secret", "a.b", force=force) is None
        assert (driver.last.method, dict(driver.last.url.params)) == ("DELETE", query)


@pytest.mark.parametrize("name", ["..", "a/b", "A", "", "a\n"])
def test_a_secret_is_checked_before_it_is_sent(driver: Driver, name: str) -> None:
    with pytest.raises(errors.InvalidName):
        driver.call("put_secret", name, b"canary")
    with pytest.raises(errors.InvalidName):
        driver.call("remove_secret", name)
    with pytest.raises(errors.InvalidRequest, match="empty"):
        driver.call("put_secret", "one", b"")
    assert driver.requests == []


def test_what_is_said_of_a_namespace_is_sent(driver: Driver) -> None:
    driver.reply(NAMESPACE, 201)
    change = NamespaceChange(labels={"team": "a"}, quota=Quota(functions=1, memory="1Gi"))
    for method in ("create_namespace", "update_namespace"):
        driver.call(method, "team-a", change)
        assert json.loads(driver.last.content) == {
            "labels": {"team": "a"}, "quota": {"functions": 1, "memory": "1Gi"}
        }  # fmt: skip
    driver.answer = lambda _: httpx2.Response(204)
    for force, query in ((False, {}), (True, {"force": "true"})):
        assert driver.call("remove_namespace", "team-a", force=force) is None
        assert (driver.last.method, driver.last.url.path) == ("DELETE", "/v1/namespaces/team-a")
        assert dict(driver.last.url.params) == query


def test_which_token_is_made_and_revoked(driver: Driver) -> None:
    driver.reply(ISSUED, 201)
    driver.call("create_token", "view", namespace=None, expires="30d", note="ci")
    assert driver.last.url.path == "/v1/tokens"
    assert json.loads(driver.last.content) == {"role": "view", "expires": "30d", "note": "ci"}
    driver.answer = lambda _: httpx2.Response(204)
    for namespace, path in (("", "/v1/namespaces/openfaas-fn/tokens"), (None, "/v1/tokens")):
        assert driver.call("revoke_token", "4tk8zq0w1c5m", namespace=namespace) is None
        assert (driver.last.method, driver.last.url.path) == ("DELETE", f"{path}/4tk8zq0w1c5m")
    assert "hush" not in repr(ISSUED)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a\n"])
@pytest.mark.parametrize("method", ["create_namespace", "update_namespace", "remove_namespace"])
def test_no_namespace_is_meant_by_an_accident(driver: Driver, method: str, name: str) -> None:
    with pytest.raises(errors.InvalidName):
        driver.call(method, name, *([NamespaceChange()] if method == "update_namespace" else []))
    with pytest.raises(errors.InvalidSpec):
        driver.call("create_namespace", "a", NamespaceChange(quota=Quota(memory="lots")))
    with pytest.raises(errors.InvalidName):
        driver.call("revoke_token", "../../functions/hello")
    assert driver.requests == []


def test_deploy_checks_before_it_sends(driver: Driver) -> None:
    with pytest.raises(errors.InvalidSpec):
        driver.call("deploy", FunctionSpec(name="hello", timeout="never"))
    assert driver.requests == []


@pytest.mark.parametrize("status", [200, 202, 204])
def test_remove(driver: Driver, status: int) -> None:
    driver.answer = lambda _: httpx2.Response(status)
    driver.call("remove", "hello")
    assert driver.last.method == "DELETE"


@pytest.mark.parametrize(("replicas", "body"), [(0, {"replicas": 0}), (None, {"replicas": None})])
def test_scale_bodies(driver: Driver, replicas: int | None, body: object) -> None:
    driver.reply(STATUS)
    driver.call("scale", "hello", replicas)
    assert json.loads(driver.last.content) == body


def test_a_bundle_is_uploaded_once(driver: Driver) -> None:
    bundle = Bundle(b"data", DIGEST)
    driver.answer = lambda request: (
        httpx2.Response(404)
        if request.method == "HEAD"
        else httpx2.Response(201, json={"digest": DIGEST, "size_bytes": 4})
    )
    assert driver.call("upload", bundle) == BundleReceipt(DIGEST, 4)
    assert [(request.method, request.content) for request in driver.requests] == [("HEAD", b""), ("PUT", b"data")]
    assert {request.url.path for request in driver.requests} == {f"/v1/namespaces/openfaas-fn/bundles/{DIGEST}"}
    driver.requests.clear()
    driver.answer = lambda _: httpx2.Response(200)
    assert driver.call("upload", bundle, namespace="team-a") == BundleReceipt(DIGEST, 4)
    assert [(request.method, request.url.path) for request in driver.requests] == [
        ("HEAD", f"/v1/namespaces/team-a/bundles/{DIGEST}")
    ]


def test_build_log_is_text(driver: Driver) -> None:
    driver.answer = lambda _: httpx2.Response(200, content=b"a\n\xff")
    assert driver.call("get_build_log", "hello") == "a\n�"


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False), (502, False)])
def test_health(driver: Driver, status: int, expected: bool) -> None:
    driver.answer = lambda _: httpx2.Response(status)
    assert driver.call("health") is expected


def line(text: str) -> LogLine:
    key = FunctionKey(NamespaceName("openfaas-fn"), FunctionName("hello"))
    return LogLine(1, key, ReplicaId("abcdefghij"), "stdout", "", text)


def test_logs_are_lines(driver: Driver) -> None:
    lines = [line("one"), line("two\nü\u2028")]
    body = b"\n\n".join(msgspec.json.encode(one) for one in lines) + b"\n"
    driver.answer = lambda _: httpx2.Response(200, content=body)
    assert driver.call("logs", "hello", since="5m", tail=3, follow=True, instance="abcdefghij") == lines
    assert dict(driver.last.url.params) == {"since": "5m", "tail": "3", "follow": "true", "instance": "abcdefghij"}
    assert driver.call("logs", "hello") == lines
    assert dict(driver.last.url.params) == {}


def test_log_lines_that_arrive_in_pieces_are_put_together(driver: Driver) -> None:
    lines = [line("one"), line("two ü")]
    body = b"\n".join(msgspec.json.encode(one) for one in lines)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(len(body)):
            yield body[at : at + 1]

    content = pieces() if driver.kind == "asyncio" else (body[at : at + 1] for at in range(len(body)))
    driver.answer = lambda _: httpx2.Response(200, content=content)
    assert driver.call("logs", "hello") == lines


def test_a_log_line_that_is_none_is_told(driver: Driver) -> None:
    driver.answer = lambda _: httpx2.Response(200, content=b"<html>\n")
    with pytest.raises(errors.InternalError):
        driver.call("logs", "hello")


def test_logs_of_a_missing_function_are_not_found(driver: Driver) -> None:
    driver.answer = lambda _: problem(404, "not_found")
    with pytest.raises(errors.NotFound):
        driver.call("logs", "hello")


GLANCE = Glance(
    name="hello", namespace="openfaas-fn", state="ready", reason="", replicas=1, desired_replicas=1, calls_total=3,
    error_rate=None, spark=(), updated_unix_ms=1,
)  # fmt: skip
NEWS = [GlanceNews(namespaces=("openfaas-fn",), functions=(GLANCE,)), GlanceNews(namespaces=(), gone=(("a", "b"),))]


def test_what_changes_is_told_event_by_event(driver: Driver) -> None:
    body = b": alive\n\n".join(b"event: functions\ndata: %b\n\n" % msgspec.json.encode(each) for each in NEWS)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    def answer(_: httpx2.Request) -> httpx2.Response:
        plain = (body[at : at + 7] for at in range(0, len(body), 7))
        return httpx2.Response(200, content=pieces() if driver.kind == "asyncio" else plain)

    driver.answer = answer
    assert driver.call("follow_functions", "team-a") == NEWS
    assert driver.last.url.raw_path == b"/v1/functions/live?namespace=team-a"
    assert driver.call("follow_functions") == NEWS
    assert driver.last.url.raw_path == b"/v1/functions/live"


def test_a_queued_call_is_followed_to_its_end(driver: Driver) -> None:
    steps: tuple[CallState, ...] = ("queued", "done")
    states = [
        CallStatus(id="c1", function="hello", namespace="openfaas-fn", state=state, attempts=at, accepted_unix_ms=1)
        for at, state in enumerate(steps)
    ]  # fmt: skip
    parts = [b"id: %d\nevent: x\ndata: %b\n\n" % (at, msgspec.json.encode(each)) for at, each in enumerate(states)]
    driver.answer = lambda _: httpx2.Response(200, content=b"".join(parts))
    assert driver.call("follow_call", "c1") == states
    assert driver.last.url.path == "/v1/calls/c1/events"


def test_what_a_part_of_the_platform_says_is_read_and_followed(driver: Driver) -> None:
    said = [PartLine(unix_ns=1, part="gw0", text="one"), PartLine(unix_ns=2, part="gw0", text="two")]
    driver.answer = lambda _: httpx2.Response(200, content=b"\n".join(map(msgspec.json.encode, said)))
    assert driver.call("machine_log", "gw/0") == said
    assert driver.last.url.raw_path == b"/v1/machine/logs/gw%2F0?tail=200"
    assert driver.call("machine_log", "gw0", tail=-1, follow=True) == said
    assert driver.last.url.raw_path == b"/v1/machine/logs/gw0?tail=-1&follow=true"


def test_a_stream_that_is_refused_or_none_is_told(driver: Driver) -> None:
    driver.answer = lambda _: problem(404, "not_found")
    with pytest.raises(errors.NotFound):
        driver.call("follow_functions", "nowhere")
    driver.answer = lambda _: httpx2.Response(200, content=b"data: <html>\n\n")
    with pytest.raises(errors.InternalError, match="cannot be read"):
        driver.call("follow_functions")


def test_which_source_is_wanted_is_sent(driver: Driver) -> None:
    driver.reply(SOURCE)
    driver.call("get_source", "hello", revision=3, namespace="team-a")
    assert driver.last.url.raw_path == b"/v1/namespaces/team-a/functions/hello/source?revision=3"
    driver.reply(BundleReceipt(DIGEST, 7))
    driver.call("change_source", CHANGE)
    assert msgspec.json.decode(driver.last.content, type=SourceChange) == CHANGE
    asked = len(driver.requests)
    with pytest.raises(errors.InvalidRequest):
        driver.call("get_source", "hello", revision=-1)
    with pytest.raises(errors.InvalidRequest, match="more than once"):
        driver.call("change_source", msgspec.structs.replace(CHANGE, removed=("handler.py",)))
    assert len(driver.requests) == asked


def problem(status: int, code: str, **more: str) -> httpx2.Response:
    body = {"type": "t", "title": "T", "status": status, "detail": f"because of {code}", "code": code, **more}
    return httpx2.Response(
        status, content=json.dumps(body).encode(), headers={"Content-Type": "application/problem+json"}
    )


def subclasses(kind: type[errors.DayflyError]) -> list[type[errors.DayflyError]]:
    own = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return own + [grandchild for child in own for grandchild in subclasses(child)]


@pytest.mark.parametrize("kind", subclasses(errors.DayflyError))
def test_a_problem_becomes_the_class_of_its_code(driver: Driver, kind: type[errors.DayflyError]) -> None:
    driver.answer = lambda _: problem(kind.status, kind.code, hint="do this")
    with pytest.raises(kind) as caught:
        driver.call("info")
    assert type(caught.value) is kind
    assert (str(caught.value), caught.value.hint) == (f"because of {kind.code}", "do this")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequest), (401, errors.Unauthenticated), (403, errors.Forbidden), (404, errors.NotFound),
        (405, errors.InvalidRequest), (409, errors.Conflict), (413, errors.PayloadTooLarge), (422, errors.BuildFailed),
        (429, errors.LimitExceeded), (500, errors.InternalError), (501, errors.NotSupported),
        (502, errors.Unavailable), (503, errors.Unavailable), (504, errors.Unavailable), (302, errors.InternalError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", ["", "plain words", "<html>", '{"code": "no such code"}', "\x00\xff"])
def test_without_a_known_code_the_status_decides(
    driver: Driver, status: int, kind: type[errors.DayflyError], body: str
) -> None:
    driver.answer = lambda _: httpx2.Response(status, content=body.encode("latin-1"))
    with pytest.raises(errors.DayflyError) as caught:
        driver.call("info")
    assert type(caught.value) is kind
    assert str(caught.value).strip()
    assert "<html" not in str(caught.value)


def test_retry_after_and_the_hint_to_log_in(driver: Driver) -> None:
    driver.answer = lambda _: httpx2.Response(429, headers={"Retry-After": "7"})
    with pytest.raises(errors.LimitExceeded) as limited:
        driver.call("info")
    assert limited.value.retry_after_s == 7
    driver.answer = lambda _: httpx2.Response(401)
    with pytest.raises(errors.Unauthenticated) as unknown:
        driver.call("info")
    assert "dayfly login" in unknown.value.hint
    assert "needs a credential" in str(unknown.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff", b'{"version": 1}'])
def test_a_reply_that_is_not_the_apis_is_an_internal_error(driver: Driver, body: bytes) -> None:
    driver.answer = lambda _: httpx2.Response(200, content=body)
    with pytest.raises(errors.InternalError, match="cannot be read"):
        driver.call("info")


@pytest.mark.parametrize(
    ("raised", "kind", "says"),
    [
        (httpx2.ConnectError("refused"), errors.Unavailable, "No gateway answers"),
        (httpx2.ConnectTimeout("x"), errors.Unavailable, "did not accept"),
        (httpx2.ReadTimeout("x"), errors.Unavailable, "sent nothing for"),
        (httpx2.WriteTimeout("x"), errors.Unavailable, "did not take"),
        (httpx2.PoolTimeout("x"), errors.Unavailable, "busy"),
        (httpx2.ReadError(""), errors.Unavailable, "broke off: ReadError"),
        (httpx2.RemoteProtocolError("nonsense"), errors.Unavailable, "nonsense"),
        (httpx2.LocalProtocolError("illegal header"), errors.InvalidRequest, "illegal header"),
    ],
)
def test_the_librarys_errors_stop_here(driver: Driver, raised: Exception, kind: type[Exception], says: str) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise raised

    driver.answer = fail
    for method, args in (("info", ()), ("invoke", ("hello",)), ("logs", ("hello",))):
        with pytest.raises(kind, match=says):
            driver.call(method, *args)


def test_invoke_returns_everything_as_it_came(driver: Driver) -> None:
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Call-Id", "c1"), ("Content-Encoding", "gzip")]
    driver.answer = lambda _: httpx2.Response(203, headers=headers, stream=httpx2.ByteStream(b"not gzip at all"))
    answer = driver.call(
        "invoke",
        "hello",
        b"in",
        method="PUT",
        path="/a/b%20c",
        query=[("q", "1 2"), ("q", "é")],
        headers={"X-One": "1"},
    )
    assert (answer.status, answer.body, answer.call_id, answer.ok) == (203, b"not gzip at all", "c1", True)
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1", "b=2"]
    assert (answer.header("X-NONE", "d"), answer.header("X-CALL-ID")) == ("d", "c1")
    assert driver.last.url.raw_path == b"/function/hello.openfaas-fn/a/b%20c?q=1+2&q=%C3%A9"
    assert (driver.last.method, driver.last.content) == ("PUT", b"in")
    assert driver.last.headers["x-one"] == "1"


def test_invoke_gives_no_credential_away_but_the_callers_own(driver: Driver) -> None:
    driver.call("invoke", "hello")
    assert "authorization" not in driver.last.headers
    driver.call("invoke", "hello", headers={"authorization": "Basic mine", "user-agent": "me"})
    assert driver.last.headers["authorization"] == "Basic mine"
    assert driver.last.headers["user-agent"] == "me"


def test_a_redirect_is_an_answer_and_not_followed(driver: Driver) -> None:
    driver.answer = lambda _: httpx2.Response(302, headers={"Location": "http://elsewhere/"})
    assert driver.call("invoke", "hello").status == 302
    with pytest.raises(errors.InternalError):
        driver.call("info")
    assert len(driver.requests) == 2


def test_raise_for_status_tells_the_function_from_the_platform(driver: Driver) -> None:
    driver.answer = lambda _: httpx2.Response(500, text="boom")
    with pytest.raises(errors.FunctionFailed, match=r"hello\.openfaas-fn answered 500 Internal Server Error: boom"):
        driver.call("invoke", "hello").raise_for_status()
    driver.answer = lambda _: problem(429, "limit_exceeded")
    with pytest.raises(errors.LimitExceeded):
        driver.call("invoke", "hello").raise_for_status()
    driver.answer = lambda _: httpx2.Response(204)
    driver.call("invoke", "hello").raise_for_status()


def test_json_and_text(driver: Driver) -> None:
    driver.answer = lambda _: httpx2.Response(200, content=b'{"a": 1}')
    assert driver.call("invoke", "hello").json() == {"a": 1}
    driver.answer = lambda _: httpx2.Response(200, content=b"\xff")
    answer = driver.call("invoke", "hello")
    assert answer.text == "�"
    with pytest.raises(errors.FunctionFailed, match="JSON"):
        answer.json()


@pytest.mark.parametrize("path", ["a b", "a?b", "a#b", "ü", "a\r\nb"])
def test_a_path_that_would_be_read_otherwise_is_refused(driver: Driver, path: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        driver.call("invoke", "hello", path=path)
    assert driver.requests == []


@pytest.mark.parametrize("name", ["", "UP", "a/b", "..", "a.b.c.", "a%2e", "x" * 64, "a\nb"])
@pytest.mark.parametrize("method", ["get_function", "remove", "invoke", "logs", "list_revisions", "get_build_log"])
def test_names_are_checked_before_they_become_paths(driver: Driver, name: str, method: str) -> None:
    with pytest.raises(errors.InvalidName):
        driver.call(method, name)
    assert driver.requests == []


def test_the_store_is_listed(driver: Driver) -> None:
    driver.reply(items())
    assert driver.call("list_store") == list(items())
    assert (driver.last.method, driver.last.url.path) == ("GET", "/v1/store")


def test_a_queued_call_has_an_id_and_carries_no_credential() -> None:
    """It goes to somebody else's code, as every call does."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(202, headers={"X-Call-Id": "call-1"})

    from dayfly.client import Client, Credential

    with Client(
        "http://127.0.0.1:1", credential=Credential.bearer("secret"), transport=httpx2.MockTransport(answer)
    ) as client:
        assert client.submit("hello", b"in", path="a", query=[("x", "1")], headers={"X-Delay": "10m"}) == "call-1"
    request = seen[0]
    assert (request.method, request.url.raw_path) == ("POST", b"/async-function/hello.openfaas-fn/a?x=1")
    assert (request.read(), request.headers["x-delay"]) == (b"in", "10m")
    assert "authorization" not in request.headers


RUN = {
    "run": {
        "id": "r", "namespace": "openfaas-fn", "flow": "bill", "state": "done", "started_unix_ms": 1, "input": None,
        "result": [1], "spec": {"name": "bill", "steps": [{"do": "set", "name": "a", "value": "input"}]},
    },
    "steps": [],
}  # fmt: skip


def test_flows_and_their_runs(driver: Driver) -> None:
    spec = FlowSpec.sequence("bill", "openfaas-fn", ("load",))
    status = {"spec": msgspec.to_builtins(spec), "created_unix_ms": 1, "updated_unix_ms": 2, "runs_under_way": 3}
    driver.answer = lambda _: httpx2.Response(200, json=status)
    assert driver.call("put_flow", spec, mode="create").runs_under_way == 3
    assert driver.call("get_flow", "bill", namespace="team").spec == spec
    driver.answer = lambda _: httpx2.Response(200, json=[status])
    assert [each.spec for each in driver.call("list_flows")] == [spec]
    driver.answer = lambda _: httpx2.Response(204)
    driver.call("remove_flow", "bill")
    driver.call("send_event", "r", "paid", b"{}", content_type="application/json")
    driver.call("judge_step", "r", "each.1.ok", approve=False, comment="no")
    driver.answer = lambda _: httpx2.Response(202, json=RUN)
    assert driver.call("start_run", "bill", b"x", key="k", wait_s=5).run.result == [1]
    assert driver.call("rerun", "r", "a").run.id == "r"
    driver.answer = lambda _: httpx2.Response(200, json=RUN)
    assert driver.call("get_run", "r", wait_s=2).run.state == "done"
    assert driver.call("cancel_run", "r").steps == ()
    driver.answer = lambda _: httpx2.Response(200, json=[])
    assert driver.call("list_runs", "team", flow="bill", state="failed", limit=3) == []
    base = "/v1/namespaces/openfaas-fn"
    assert [f"{each.method} {each.url.raw_path.decode()}" for each in driver.requests] == [
        f"PUT {base}/flows/bill?mode=create", "GET /v1/namespaces/team/flows/bill", f"GET {base}/flows",
        f"DELETE {base}/flows/bill", f"POST {base}/flow-runs/r/events/paid",
        f"POST {base}/flow-runs/r/approvals/each.1.ok", f"POST {base}/flows/bill/runs?wait=5s",
        f"POST {base}/flow-runs/r/rerun", f"GET {base}/flow-runs/r?wait=2s", f"DELETE {base}/flow-runs/r",
        "GET /v1/namespaces/team/flow-runs?limit=3&flow=bill&state=failed",
    ]  # fmt: skip
    assert driver.requests[6].headers["idempotency-key"] == "k"


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("get_run", ("a/b",)), ("send_event", ("r", "a b")), ("judge_step", ("r", "a/b")), ("get_flow", ("No",))],
)
def test_what_is_no_name_of_a_flows_things_is_not_sent(driver: Driver, method: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(errors.InvalidName):
        driver.call(method, *arguments, **({"approve": True} if method == "judge_step" else {}))
    assert driver.requests == []
