"""Two tenants, every route, every verb, every place that a namespace can be named in (threat T2).

The requests are made from the routers themselves, so that a new route is in the matrix before anybody thinks of it;
one whose body nobody has described here fails.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from dayfly.api.alert_receivers import ReceiverRequest
from dayfly.api.alerts import RuleRequest
from dayfly.api.budgets import BudgetRequest
from dayfly.api.calls import DeadLetters
from dayfly.api.custom_routes import RouteRequest
from dayfly.api.events import MEDIA
from dayfly.api.flows import FlowRequest
from dayfly.api.functions import DeployRequest
from dayfly.api.reports import ReportRequest
from dayfly.api.routes import Route
from dayfly.api.scope import Place
from dayfly.api.triggers import TriggerRequest
from dayfly.dialects.openfaas.wire import (
    AlertMessage,
    DeleteFunctionRequest,
    FunctionDeployment,
    FunctionNamespace,
    ScaleServiceRequest,
    Secret,
)
from dayfly.model.access import OPEN, ROLES, Role, may
from dayfly.model.alert import AlertRule, Matcher, SilenceRequest
from dayfly.model.alertmanager import TheirAlert, TheirMessage
from dayfly.model.budget import BudgetChange, BudgetSpec, Counts
from dayfly.model.direct import MEDIA_TYPE
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import Begun, FlowRun, Logged
from dayfly.model.flow_status import Judgement, Rerun
from dayfly.model.flow_step import Approval
from dayfly.model.log import LogLine
from dayfly.model.names import NamespaceName, ReplicaId, parse_namespace
from dayfly.model.namespace import NamespaceChange, Quota
from dayfly.model.payload import CallPayload
from dayfly.model.query import QueryRequest, SavedQuerySpec
from dayfly.model.receiver import Receiver, WebhookTarget
from dayfly.model.replay import ReplayOrder
from dayfly.model.report import ReportSpec
from dayfly.model.route import GrantRequest, HostGrant, RouteSpec, Target
from dayfly.model.source import SourceChange
from dayfly.model.status import RollbackRequest, ScaleRequest
from dayfly.model.token import TokenRequest
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_source import EventSource
from dayfly.server.apps import CONSOLE_ROUTES, METRICS_ROUTES, PUBLIC_ROUTES

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

ROUTES = {"public": PUBLIC_ROUTES, "console": CONSOLE_ROUTES, "metrics": METRICS_ROUTES}
OWN = {app: [each for each in routes if app == "public" or each not in PUBLIC_ROUTES] for app, routes in ROUTES.items()}
"""Each route once: those that a listener shares with the public one are the same objects there."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get")
MINE, OTHER = parse_namespace("mine"), parse_namespace("other-tenant")
MARK = "only-the-other-tenant-knows"
BUNDLE = "sha256:" + "a" * 64
DIGEST = "sha256:" + "b" * 64
HOST = "mine.example.org"
SILENCE = "silence-of-other"
BODIES: dict[Any, dict[str, Any]] = {
    DeployRequest: {"bundle": BUNDLE},
    ScaleRequest: {"replicas": 0},
    SourceChange: {"files": [{"path": "handler.py", "text": "x = 1"}]},
    RollbackRequest: {},
    BudgetChange: {"budget": ["calls=1/day"]},
    BudgetRequest: {"function": "hello", "calls": {"day": 1}},
    DeadLetters: {"ids": ["call-of-other"]},
    ReplayOrder: {},
    NamespaceChange: {"labels": {"taken": "over"}},
    TokenRequest: {"role": "view"},
    FunctionDeployment: {"service": "hello", "image": BUNDLE},
    DeleteFunctionRequest: {"functionName": "hello"},
    ScaleServiceRequest: {"replicas": 0},
    Secret: {"name": "password", "value": "taken over"},
    FunctionNamespace: {"name": OTHER, "labels": {"openfaas": "1", "taken": "over"}},
    RouteRequest: {"host": HOST, "targets": [{"function": "hello"}]},
    TriggerRequest: {"function": "hello", "source": {"kind": "event"}},
    GrantRequest: {"namespace": MINE},
    FlowRequest: {"steps": [{"do": "call", "name": "hello", "function": "hello"}]},
    Judgement: {"approve": True},
    QueryRequest: {"sql": "SELECT * FROM functions, revisions, replicas, triggers"},
    SavedQuerySpec: {"sql": "SELECT 1", "note": "mine"},
    Rerun: {"from": "ask"},
    RuleRequest: {"kind": "error_rate"},
    SilenceRequest: {"matchers": [{"name": "alertname", "value": "*"}], "duration": "1h"},
    ReceiverRequest: {"target": {"kind": "webhook", "url": "https://hooks.example.org/x"}, "secret": "mine"},
    ReportRequest: {"every": "day", "receivers": ["hello"]},
    TheirMessage: {"alerts": [{"status": "firing", "labels": {"alertname": "theirs"}}]},
    AlertMessage: {"alerts": [{"status": "firing", "labels": {"function_name": f"hello.{OTHER}"}}]},
}
"""A body that works, for each kind that a route takes."""
CLOUD_EVENT = b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}'


class Ask(NamedTuple):
    """One request, and the places in which it names the other tenant's namespace."""

    method: str
    target: str
    body: bytes
    names: frozenset[str]


def asks(route: Route, method: str, token: str) -> Iterator[Ask]:
    """Yield requests that name the other namespace in every combination of places that there are.

    By a method that is not the route's, in each place alone and in all: that it is none is seen before the places are.
    """
    holes = set(route.parameters)
    there = ["path", "suffix"] if "namespace" in holes else ["suffix"] if "name" in holes else []
    places = [*there, "query", "query name", "body", "body name"]
    sizes = range(1, len(places) + 1) if method == route.method else (1, len(places))
    for names in (frozenset(some) for size in sizes for some in itertools.combinations(places, size)):
        path = route.path.replace("{namespace}", OTHER if "path" in names else MINE)
        path = path.replace("{name}", f"hello.{OTHER}" if "suffix" in names else "hello")
        path = path.replace("{digest}", DIGEST).replace("{token}", token).replace("{host}", HOST)
        path = path.replace("{icon}", "figlet.svg").replace("{call}", "call-of-other")
        path = path.replace("{run}", "run-of-other").replace("{event}", "paid").replace("{step}", "ask")
        path = path.replace("{query}", "counts").replace("{label}", "function_name")
        path = path.replace("{silence}", SILENCE).replace("{part}", "control")
        query = [f"namespace={OTHER}"] if "query" in names else []
        if "query name" in names:
            query.append(f"name=hello.{OTHER}")
        elif isinstance(route.scope, Place) and route.scope.query_name:
            query.append("name=hello")
        yield Ask(method, f"{path}?{'&'.join(query)}", body_of(route, names), names)


def body_of(route: Route, names: frozenset[str]) -> bytes:
    if route.takes == MEDIA_TYPE:
        return b"{}\n"
    if route.request is None or route.request is bytes:
        return CLOUD_EVENT if route.takes == MEDIA else b"any bytes"
    body = dict(BODIES[route.request])
    if "body" in names:
        body["namespace"] = OTHER
    for member in ("functionName", "service"):
        if "body name" in names and member in body:
            body[member] += f".{OTHER}"
    return json.dumps(body).encode()


def told(route: Route, headers: dict[str, str]) -> dict[str, str]:
    """Return the headers, and what kind of body there is where a route takes bytes."""
    return {**headers, "content-type": route.takes} if route.request is bytes else headers


def looks_at(scope: Place, names: frozenset[str]) -> bool:
    """Whether the route says that it looks at one of the places."""
    declared = {"path": scope.path, "suffix": scope.path_name, "query": scope.query, "query name": scope.query_name,
                "body": scope.body, "body name": scope.body_name}  # fmt: skip
    return any(declared[name] for name in names)


def trigger(namespace: NamespaceName) -> TriggerSpec:
    """Return a trigger that takes every event."""
    text = MARK if namespace == OTHER else "mine"
    return TriggerSpec(name="hello", namespace=namespace, function="hello", source=EventSource(), filter=f"'{text}'")


def counts(namespace: NamespaceName) -> SavedQuerySpec:
    """Return a query to be saved."""
    return SavedQuerySpec(sql="SELECT * FROM functions, triggers", note=MARK if namespace == OTHER else "mine")


async def furnish(stage: Stage) -> dict[Role, dict[str, str]]:
    """Make both tenants, with the same names in both; return a credential of each role in the first."""
    stage.services.glances.end()  # so that a list that is followed ends after its first event
    await stage.namespaces.create(MINE, NamespaceChange(quota=Quota(functions=5)))
    await stage.namespaces.create(OTHER, NamespaceChange(labels={"mark": MARK}, annotations={MARK: "1"}))
    for namespace in (MINE, OTHER):
        for _ in range(2):
            await stage.deploy("hello", namespace=namespace, env={"WHOSE": MARK if namespace == OTHER else "mine"})
    await stage.deploy(MARK, namespace=OTHER)
    key = next(key for key in stage.plane.functions if key.namespace == OTHER)
    stage.logs.write(LogLine(1, key, ReplicaId("r" * 10), "stdout", "", MARK))
    await stage.tokens.issue(OTHER, TokenRequest(role="admin", note=MARK))
    for namespace in (MINE, OTHER):
        await stage.secrets.put(namespace, "password", MARK.encode() if namespace == OTHER else b"mine")
    await stage.secrets.put(OTHER, MARK, b"x")
    for call_id, namespace in (("call-of-mine", MINE), ("call-of-other", OTHER)):
        stage.queue.add(call_id, namespace, reason=MARK if namespace == OTHER else "mine")
        stage.records.add(call_id, namespace, path=f"/{MARK}" if namespace == OTHER else "/mine")
        stage.records.kept[namespace, call_id] = [
            CallPayload(
                number=len(stage.records.calls), method="GET", target=f"/{MARK}" if namespace == OTHER else "/mine",
                headers=(), body=b"", status=200, answer_headers=(), answer_body=b"",
            )
        ]  # fmt: skip
    for namespace, host in ((MINE, HOST), (OTHER, f"{MARK}.example")):
        await stage.routes.grant(HostGrant(host=host, namespace=namespace))
        spec = RouteSpec(name="hello", namespace=namespace, host=host, targets=(Target(function="hello"),))
        await stage.routes.put(spec)
        await plant_flow(stage, namespace)
        await stage.triggers.put(trigger(namespace))
        await stage.services.saved_queries.put(namespace, "counts", counts(namespace))
        await plant_alerts(stage, namespace)
        await plant_budgets(stage, namespace)
    await stage.services.saved_queries.put(None, "counts", counts(OTHER))
    return {
        role: {"authorization": f"Bearer {(await stage.tokens.issue(MINE, TokenRequest(role=role))).token}"}
        for role in ROLES
    }


async def plant_flow(stage: Stage, namespace: NamespaceName) -> None:
    """Have the namespace's flow be there, and a run of it wait for approval."""
    steps = (Approval(name="ask", prompt=MARK if namespace == OTHER else "mine"),)
    spec = FlowSpec(name="hello", namespace=namespace, steps=steps)
    await stage.services.flows.put(spec)
    run = "run-of-mine" if namespace == MINE else "run-of-other"
    if run not in stage.flow_engine.under_way(namespace):
        await stage.run_log.remove([run])
        now = stage.clock.unix_ms()
        begun = FlowRun(id=run, namespace=namespace, flow="hello", spec=spec, input=MARK, started_unix_ms=now)
        await stage.flow_engine.begin(begun, [Logged(1, now, Begun(path="ask"))])


async def plant_budgets(stage: Stage, namespace: NamespaceName) -> None:
    """Have a budget be there, and one that is named as the mark in the other tenant's."""
    for name in ("hello", MARK) if namespace == OTHER else ("hello",):
        spec = BudgetSpec(name=name, namespace=namespace, function=name, calls=Counts(day=5))
        await stage.services.budgets.put(spec)


async def plant_alerts(stage: Stage, owner: str) -> None:
    """Have a rule, a receiver, a silence and an alert that another told of be there."""
    mark, book = (MARK if owner == OTHER else "mine"), stage.alerts.book
    await book.put_rule(AlertRule(name="hello", namespace=owner, kind="error_rate", summary=mark))
    target = WebhookTarget(url=f"https://{mark}.example.org")
    await book.put_receiver(Receiver(name="hello", namespace=owner, target=target), mark)
    if (owner, SILENCE) not in book.silences and owner == OTHER:
        asked = SilenceRequest(matchers=(Matcher("alertname", mark),), duration="1h", comment=mark)
        found = msgspec.structs.replace(await book.silence(owner, asked, mark), id=SILENCE)
        book.silences[owner, SILENCE] = found
    told = TheirMessage(alerts=(TheirAlert("firing", {"alertname": mark}, {"summary": mark}),))
    await stage.alerts.alerts.hear(owner, told)
    await stage.alerts.past.note(stage.alerts.alerts.alerts(owner or None), stage.clock.unix_ms())
    await stage.services.reports.put(ReportSpec(name="hello", namespace=owner, every="day", receivers=("hello",)))


def belongings(stage: Stage) -> bytes:
    """All that is the other tenant's."""
    plane = stage.plane
    return msgspec.json.encode(
        [
            [status for key, status in sorted(plane.functions.items()) if key.namespace == OTHER],
            [history for key, history in sorted(plane.history.items()) if key.namespace == OTHER],
            [change for change in plane.changes if OTHER in change],
            stage.namespaces.get(OTHER),
            stage.tokens.listed(OTHER),
            sorted(digest for namespace, digest in stage.bundles.kept if namespace == OTHER),
            stage.namespaces.names(),
            stage.secrets.in_namespace(OTHER),
            [change for change in stage.queue.changes if "other" in change],
            stage.routes.in_namespace(OTHER),
            stage.routes.granted(OTHER),
            stage.services.flows.in_namespace(OTHER),
            [(run, stage.run_log._logs[run.id]) for run in stage.run_log._runs.values() if run.namespace == OTHER],
            stage.triggers.in_namespace(OTHER),
            [each for each in stage.services.saved_queries.listed(OTHER) if not each.ready_made],
            [each for each in stage.services.saved_queries.listed(None) if not each.ready_made],
            [str(function) for function, _ in stage.fired.firings if OTHER in function],
            [made for made in stage.direct.made if OTHER in made[0]],
            stage.alerts.alerts.rules(OTHER),
            stage.alerts.alerts.receivers(OTHER),
            stage.services.reports.listed(OTHER),
            stage.alerts.alerts.silences(OTHER),
            stage.alerts.alerts.alerts(OTHER),
            [each.spec for each in stage.services.budgets.all() if each.spec.namespace == OTHER],
            [content.decode() for key, content in sorted(stage.alerts.vault.kept.items()) if key[0] == OTHER],
        ]
    )


def test_there_is_a_body_for_every_kind_that_a_route_takes() -> None:
    kinds = {route.request for routes in ROUTES.values() for route in routes} - {None, bytes}
    assert kinds <= BODIES.keys(), "describe a body that works, so that the route is in the matrix"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("app", ROUTES)
def test_no_tenant_reads_or_changes_what_is_anothers(play: Play, app: str, role: Role) -> None:
    async def story(stage: Stage) -> None:
        headers = (await furnish(stage))[role]
        (token,) = stage.tokens.listed(OTHER)
        before = belongings(stage)
        for route in OWN[app]:
            for method in METHODS if role == "admin" else (route.method,):
                for ask in asks(route, method, token.id):
                    answer = await stage.ask(method, ask.target, app=app, headers=told(route, headers), body=ask.body)
                    assert MARK.encode() not in answer.body, ask
                    if route.access in OPEN:
                        continue
                    assert answer.status < 400 or answer.status in (400, 403, 404, 405, 409), (ask, answer)
                    if answer.status < 400:
                        # A secret of ours may have a dot in its name.
                        shown = answer.body.replace(f'"name":"hello.{OTHER}"'.encode(), b"")
                        assert OTHER.encode() not in shown, ask
                    looked = isinstance(route.scope, Place) and looks_at(route.scope, ask.names)
                    if method == route.method and (looked or route.scope == "installation"):
                        # 400 where two namespaces are named at once, or a name is none.
                        assert answer.status in (400, 403), (ask, answer.status)
                assert belongings(stage) == before, (method, route.path)

    play(story)


@pytest.mark.parametrize("app", ROUTES)
def test_who_administers_the_installation_reaches_all_of_it(play: Play, app: str) -> None:
    """The same requests, so that what is refused above is not refused for being wrong."""

    async def story(stage: Stage) -> None:
        await furnish(stage)
        (token,) = stage.tokens.listed(OTHER)
        for route in (each for each in OWN[app] if each.access not in OPEN):
            statuses = set()
            for ask in asks(route, route.method, token.id):
                headers = told(route, stage.basic)
                answer = await stage.ask(route.method, ask.target, app=app, headers=headers, body=ask.body)
                statuses.add(answer.status)
                if route.method in ("GET", "HEAD") or answer.status >= 400:
                    continue  # nothing is to be made anew
                for namespace in (MINE, OTHER):
                    if namespace not in stage.namespaces.names():
                        await stage.namespaces.create(namespace, NamespaceChange())
                    await stage.deploy("hello", namespace=namespace)
                    await stage.deploy("hello", namespace=namespace)
                    await plant_flow(stage, namespace)
                    await plant_budgets(stage, namespace)
                    await stage.triggers.put(trigger(namespace))
                await stage.services.saved_queries.put(None, "counts", counts(OTHER))
                for owner in (MINE, OTHER, ""):
                    await plant_alerts(stage, owner)
            assert not statuses & {401, 403}, (route.method, route.path)
            works = {200, 201, 202, 204, 307}
            # No canary is under way that could be promoted, nobody has the bundle, and both namespaces are there, full.
            known = {
                "POST /promote": 409, "HEAD /bundles/{digest}": 404, "DELETE /{token}": 404,
                "POST /system/namespace/": 409, "POST /v1/namespaces/{namespace}": 409,
                "DELETE /v1/namespaces/{namespace}": 409, "DELETE /system/namespace/{namespace}": 400,
                "POST /rerun": 409, "GET /v1/query/export": 400, "GET /query": 400, "POST /query": 400,
                "GET /query_range": 400, "POST /query_range": 400, "GET /series": 400, "POST /series": 400,
                "GET /query_exemplars": 400, "POST /query_exemplars": 400,
            }  # fmt: skip
            ends = [
                status
                for line, status in known.items()
                if route.method == line.split()[0] and route.path.endswith(line.split()[1])
            ]
            assert statuses & {*works, *ends}, (route.method, route.path, statuses)

    play(story)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("app", ROUTES)
def test_in_its_own_namespace_a_token_may_what_its_role_may(play: Play, app: str, role: Role) -> None:
    async def story(stage: Stage) -> None:
        headers = (await furnish(stage))[role]
        for route in (each for each in ROUTES[app] if each.access not in OPEN):
            path = route.path.replace("{namespace}", MINE).replace("{name}", "hello").replace("{digest}", BUNDLE)
            path = path.replace("{token}", "abcdefghijkl").replace("{host}", HOST)
            path = path.replace("{call}", "call-of-mine").replace("{run}", "run-of-mine")
            path = path.replace("{event}", "paid").replace("{step}", "ask").replace("{query}", "counts")
            path = path.replace("{label}", "function_name")
            path = path.replace("{silence}", SILENCE).replace("{part}", "control")
            answer = await stage.ask(
                route.method,
                f"{path}?name=hello",
                app=app,
                headers=told(route, headers),
                body=body_of(route, frozenset()),
            )
            allowed = may(role, route.access, route.method) and route.scope != "installation"
            assert (answer.status == 403) is not allowed, (role, route.method, route.path, answer.status)
            await stage.deploy("hello", namespace=MINE)

    play(story)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/system/functions", None),
        ("GET", "/system/function/hello", None),
        ("GET", "/system/logs?name=hello", None),
        ("PUT", "/system/functions", {"service": "hello", "image": BUNDLE}),
        ("POST", "/system/scale-function/hello", {"replicas": 3}),
        ("DELETE", "/system/functions", {"functionName": "hello"}),
    ],
)
def test_where_no_namespace_is_named_it_is_the_credentials_own(
    play: Play, method: str, path: str, body: dict[str, Any] | None
) -> None:
    async def story(stage: Stage) -> None:
        headers = (await furnish(stage))["admin"]
        stage.plane.changes.clear()
        assert (await stage.ask(method, path, headers=headers, data=body)).status in (200, 202)
        assert all(".mine" in change for change in stage.plane.changes)
        of_all = await stage.ask(method, path, data=body)
        assert of_all.status == (200 if path == "/system/functions" and method == "GET" else 404)

    play(story)


def test_each_sees_its_own_namespaces_figures_and_itself(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = (await furnish(stage))["view"]
        for path in ("/v1/namespaces", "/system/namespaces"):
            assert (await stage.ask("GET", path, headers=mine)).json() == [MINE]
            assert (await stage.ask("GET", path)).json() == [MINE, "openfaas-fn", OTHER]
        info = (await stage.ask("GET", "/v1/info", headers=mine)).json()
        assert (info["functions"], info["default_namespace"]) == (1, MINE)
        assert (info["caller"]["role"], info["caller"]["namespace"]) == ("view", MINE)
        everything = (await stage.ask("GET", "/v1/info")).json()
        assert (everything["functions"], everything["default_namespace"]) == (3, "openfaas-fn")
        assert everything["caller"]["namespace"] is None
        for app, path in (("metrics", "/metrics"), ("public", "/v1/namespaces/mine/metrics")):
            text = (await stage.ask("GET", path, app=app, headers=mine)).body.decode()
            assert 'gateway_service_count{function_name="hello.mine"}' in text
            assert 'dayfly_namespace_used{namespace="mine",resource="functions"}' in text
            assert "process_" not in text
            assert "dayfly_gateways" not in text
        assert "dayfly_gateways{} 2" in (await stage.ask("GET", "/metrics", app="metrics")).body.decode()

    play(story)


def test_a_token_that_is_over_lets_nobody_in(play: Play) -> None:
    async def story(stage: Stage) -> None:
        headers = (await furnish(stage))["view"]
        path = "/v1/namespaces/mine/functions"
        assert (await stage.ask("GET", path, headers=headers)).status == 200
        await stage.namespaces.remove(MINE, force=True)
        assert (await stage.ask("GET", path, headers=headers)).status == 401
        await stage.namespaces.create(MINE, NamespaceChange())
        assert (await stage.ask("GET", path, headers=headers)).status == 401

    play(story)


def test_who_changes_something_is_in_the_log(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        headers = await furnish(stage)
        caplog.set_level("INFO", "dayfly.audit")
        path = "/v1/namespaces/mine/functions/hello"
        await stage.ask("GET", path, headers=headers["deploy"])
        await stage.ask("DELETE", path, headers=headers["deploy"])
        await stage.ask("DELETE", path, headers=headers["view"])
        await stage.ask("DELETE", path, headers={})
        await stage.ask("DELETE", "/v1/namespaces/mine/functions/a%0d%0aforged")

    play(story)
    told = [record.getMessage() for record in caplog.records if record.name == "dayfly.audit"]
    assert len(told) == 3
    assert "principal='token " in told[0]
    assert "role=deploy of='mine' method='DELETE' path='/v1/namespaces/mine/functions/hello' status=204" in told[0]
    assert "role=view" in told[1]
    assert told[1].endswith("status=403")
    assert "principal='local'" in told[2]
    assert "\n" not in told[2]
