"""One script for any API server, the double and a real one: what it answers, as far as that does not depend on chance.

`told` returns it by name. What a real API server answers is in `conformance.json`, which both are held against.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import SingleConfig

GOLDEN = Path(__file__).with_name("conformance.json")
GROUP, SPACE = "conformance.dayfly.dev", "dayfly-test-conformance"
_MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"
_WIDGETS = f"/apis/{GROUP}/v1/namespaces/{SPACE}/widgets"
_MERGE, _JSON, _STRATEGIC, _APPLY = (
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "name": {"type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
        "replicas": {"type": "integer"},
        "parts": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
    },
}
_STATUS = {"type": "object", "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}}}
_CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}}},
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
            }
        ],
    },
}
_DEADLINE_S = 60.0


class Api:
    """An API server, asked as its administrator."""

    def __init__(self, config: SingleConfig) -> None:
        self._client = httpx2.Client(
            **ConnectionParams(timeout=httpx2.Timeout(30), trust_env=False).httpx_params(config)
        )

    def close(self) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **params: str
    ) -> httpx2.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind} if content is not None else {}
        return self._client.request(method, path, params=params, content=content, headers=headers)

    def get(self, path: str, **params: str) -> Any:
        response = self.ask("GET", path, **params)
        assert response.status_code == 200, response.text
        return response.json()

    def watched(self, path: str, **params: str) -> list[Any]:
        """Return the events of a watch that the server ends after a second or as it says."""
        response = self.ask("GET", path, **{"watch": "true", "timeoutSeconds": "1"} | params)
        if response.status_code != 200:
            return [response.status_code, *_answer(response)]
        return [json.loads(line) for line in response.text.splitlines()]


@contextlib.contextmanager
def prepared(api: Api) -> Iterator[None]:
    """Have a namespace and a kind of ours, and let go of both in the end."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    try:
        for path, obj in (("/api/v1/namespaces", space), (kinds, _CRD)):
            made = api.ask("POST", path, obj)
            assert made.status_code == 201, made.text
        until = time.monotonic() + _DEADLINE_S
        while api.ask("GET", _WIDGETS).status_code != 200:
            assert time.monotonic() < until, "the kind is not served"
        yield
    finally:
        api.ask("DELETE", f"{kinds}/widgets.{GROUP}")
        api.ask("DELETE", f"/api/v1/namespaces/{SPACE}")


def told(api: Api) -> dict[str, Any]:
    """Return what it answers, by what was asked."""
    found: dict[str, Any] = {}
    for case in (_names, _pages, _selected, _watches, _conflicts, _applies, _statuses, _scales, _validates, _deletes):
        for name, answer in case(api):
            assert name not in found, name
            found[name] = json.loads(json.dumps(answer))
    return found


def map_of(name: str, **labels: str) -> Any:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"a": "1"}}


def widget(called: str, **spec: Any) -> Any:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": called}, "spec": {"size": 1} | spec}


_Told = Iterator[tuple[str, Any]]


def _answer(response: httpx2.Response) -> list[Any]:
    """Return status, reason and fields of a refusal; status and kind of anything else."""
    try:
        body = response.json()
    except ValueError:
        return [response.status_code, response.text.strip()]
    if body.get("kind") == "Status" and body.get("status") != "Success":
        details = body.get("details") or {}
        fields = {str(each.get("field", "")) for each in details.get("causes", ())}
        return [response.status_code, body.get("reason", ""), sorted(fields - {"", "<nil>"})]
    return [response.status_code, body.get("kind", "")]


def _names(api: Api) -> _Told:
    yield "a group that is not there", _answer(api.ask("GET", "/apis/nowhere.example.com/v1/things"))
    yield "a kind that is not there", _answer(api.ask("GET", f"/apis/{GROUP}/v1/namespaces/{SPACE}/gadgets"))
    yield "an object that is not there", _answer(api.ask("GET", f"{_MAPS}/none"))
    yield "a custom object that is not there", _answer(api.ask("GET", f"{_WIDGETS}/none"))
    yield "a namespace that is not there", _answer(api.ask("POST", _MAPS.replace(SPACE, "nowhere"), map_of("a")))
    yield "a list in a namespace that is not there", _answer(api.ask("GET", _MAPS.replace(SPACE, "nowhere")))
    yield "a subresource that is not there", _answer(api.ask("GET", f"{_MAPS}/none/scale"))
    yield "a name that is none", _answer(api.ask("POST", _MAPS, map_of("Not_One")))
    yield "no name", _answer(api.ask("POST", _MAPS, map_of("")))
    yield (
        "another namespace",
        _answer(api.ask("POST", _MAPS, {**map_of("a"), "metadata": {"name": "a", "namespace": "default"}})),
    )
    made = api.ask("POST", _MAPS, {**map_of(""), "metadata": {"generateName": "made-"}})
    yield "a name is made", [made.status_code, bool(re.fullmatch("made-[a-z0-9]{5}", made.json()["metadata"]["name"]))]
    api.ask("DELETE", f"{_MAPS}/{made.json()['metadata']['name']}")
    yield "a body that is none", _answer(api.ask("POST", _MAPS, "no object"))
    dry = api.ask("POST", _MAPS, map_of("dry"), dryRun="All")
    yield "a dry run", [dry.status_code, api.ask("GET", f"{_MAPS}/dry").status_code]


def _pages(api: Api) -> _Told:
    for at in range(5):
        api.ask("POST", _MAPS, map_of(f"page-{at}", page="yes"))
    first = api.get(_MAPS, limit="2", labelSelector="page")
    yield "the first page", [
        sorted(first), [sorted(each) for each in first["items"]], first["metadata"].get("remainingItemCount"),
    ]  # fmt: skip
    first = api.get(_MAPS, limit="3")
    names = [each["metadata"]["name"] for each in first["items"]]
    api.ask("POST", _MAPS, map_of("page-a", page="yes"))
    rest = api.get(_MAPS, limit="30", **{"continue": first["metadata"]["continue"]})
    names += [each["metadata"]["name"] for each in rest["items"]]
    # A real cluster puts objects of its own there.
    yield (
        "all pages are of one moment",
        [
            [name for name in names if name.startswith("page-")],
            rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"],
            "continue" in rest["metadata"],
        ],
    )
    refused = api.ask("GET", _MAPS, limit="2", **{"continue": "nonsense"})
    yield "a continuation that is none", _answer(refused)
    again = api.ask("GET", _MAPS, limit="30", **{"continue": first["metadata"]["continue"]})
    yield "a page is asked for again", [again.status_code, len(again.json().get("items", ())) == len(rest["items"])]
    api.ask("POST", _WIDGETS, widget("paged"))
    page = api.get(_WIDGETS, limit="1")
    yield "a page of a custom kind", [sorted(page), [sorted(each) for each in page["items"]]]


def _selected(api: Api) -> _Told:
    for name, labels in (("s-a", {"tier": "a"}), ("s-b", {"tier": "b", "new": ""}), ("s-none", {"new": "yes"})):
        api.ask("POST", _MAPS, map_of(name, selected="yes", **labels))
    for selector in (
        "tier=a", "tier==a", "tier!=a", "tier in (a,b)", "tier notin (a)", "tier", "!tier", "new=", "tier=a,new",
        "tier=", "tier in (a, b),new", "nothing", "tier>1", "tier in a", "=a", "tier=a b", "x/y/z=1", "tier=a,",
    ):  # fmt: skip
        response = api.ask("GET", _MAPS, labelSelector=f"{selector},selected" if selector[-1:] != "," else selector)
        if response.status_code == 200:
            yield f"labels {selector}", sorted(each["metadata"]["name"] for each in response.json()["items"])
        else:
            yield f"labels {selector}", _answer(response)
    for kind, path in (("", _MAPS), ("custom ", _WIDGETS)):
        for selector in ("metadata.name=s-a", f"metadata.name!=s-a,metadata.namespace={SPACE}", "data.a=1", "nonsense"):
            response = api.ask("GET", path, fieldSelector=selector, labelSelector="" if kind else "selected")
            found = response.json()
            yield f"{kind}fields {selector}", (
                sorted(each["metadata"]["name"] for each in found["items"])
                if response.status_code == 200 else _answer(response)
            )  # fmt: skip


def _watches(api: Api) -> _Told:
    since = api.get(_MAPS)["metadata"]["resourceVersion"]
    api.ask("POST", _MAPS, map_of("w", watched="yes"))
    api.ask("PATCH", f"{_MAPS}/w", {"data": {"a": "2"}}, _MERGE)
    api.ask("PATCH", f"{_MAPS}/w", {"data": {"a": "2"}}, _MERGE)
    api.ask("PATCH", f"{_MAPS}/w", {"metadata": {"labels": {"watched": "no"}}}, _MERGE)
    api.ask("DELETE", f"{_MAPS}/w")

    def shown(events: list[Any]) -> list[Any]:
        if not events or not isinstance(events[0], dict):
            return events
        return [
            [each["type"], each["object"].get("kind"), each["object"]["metadata"].get("labels"),
             each["object"].get("data")]
            for each in events
            if each["type"] == "ERROR" or each["object"]["metadata"].get("name", "w") == "w"
        ]  # fmt: skip

    asked: dict[str, dict[str, str]] = {
        "a watch": {"resourceVersion": since},
        "a watch of what is selected": {"resourceVersion": since, "labelSelector": "watched=yes"},
        "a watch from the beginning": {"resourceVersion": "0", "labelSelector": "page"},
        "a version that is none": {"resourceVersion": "abc"},
        "a watch that is too short for a bookmark": {
            "resourceVersion": since, "allowWatchBookmarks": "true", "labelSelector": "none",
        },
    }  # fmt: skip
    with ThreadPoolExecutor(len(asked)) as pool:
        heard = dict(zip(asked, pool.map(lambda params: api.watched(_MAPS, **params), asked.values()), strict=True))
    for name in ("a watch", "a watch of what is selected"):
        yield name, shown(heard[name])
    versions = [int(each["object"]["metadata"]["resourceVersion"]) for each in heard["a watch"]]
    yield "versions grow", [versions == sorted(set(versions)), min(versions) > int(since)]
    begun = heard["a watch from the beginning"]
    yield "a watch from the beginning", sorted([each["type"], each["object"]["metadata"]["name"]] for each in begun)
    for name in ("a version that is none", "a watch that is too short for a bookmark"):
        yield name, heard[name]


def _conflicts(api: Api) -> _Told:
    made = api.ask("POST", _MAPS, map_of("c")).json()
    yield "created again", _answer(api.ask("POST", _MAPS, map_of("c")))
    yield (
        "created with a version",
        _answer(api.ask("POST", _MAPS, {**map_of("c2"), "metadata": {"name": "c2", "resourceVersion": "1"}})),
    )
    changed = api.ask("PUT", f"{_MAPS}/c", {**made, "data": {"a": "2"}})
    yield "replaced", _answer(changed)
    yield "replaced as it was before", _answer(api.ask("PUT", f"{_MAPS}/c", {**made, "data": {"a": "3"}}))
    yield "replaced without a version", _answer(api.ask("PUT", f"{_MAPS}/c", map_of("c")))
    now = api.get(f"{_MAPS}/c")
    same = api.ask("PUT", f"{_MAPS}/c", now).json()
    yield "replaced by the same", same["metadata"]["resourceVersion"] == now["metadata"]["resourceVersion"]
    other = {**now, "metadata": {**now["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}
    yield "replaced with another uid", _answer(api.ask("PUT", f"{_MAPS}/c", other))
    yield "replaced under another name", _answer(api.ask("PUT", f"{_MAPS}/c", map_of("d")))
    yield "replaced and not there", _answer(api.ask("PUT", f"{_MAPS}/none", map_of("none")))
    yield "patched and not there", _answer(api.ask("PATCH", f"{_MAPS}/none", {"data": {}}, _MERGE))
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"a": "9"}}
    yield "patched as it was before", _answer(api.ask("PATCH", f"{_MAPS}/c", stale, _MERGE))
    test = [{"op": "test", "path": "/data/a", "value": "no"}, {"op": "replace", "path": "/data/a", "value": "5"}]
    yield "patched on a condition that does not hold", _answer(api.ask("PATCH", f"{_MAPS}/c", test, _JSON))
    odd = [{"op": "remove", "path": "/data/none"}]
    yield "patched where nothing is", _answer(api.ask("PATCH", f"{_MAPS}/c", odd, _JSON))
    patched = api.ask("PATCH", f"{_MAPS}/c", {"data": {"a": None, "b": "1"}}, _STRATEGIC)
    yield "patched strategically", [patched.status_code, patched.json().get("data")]
    yield "patched in a way that is none", _answer(api.ask("PATCH", f"{_MAPS}/c", {}, "application/json"))
    custom = api.ask("POST", _WIDGETS, widget("c")).json()
    yield "a custom object replaced without a version", _answer(api.ask("PUT", f"{_WIDGETS}/c", widget("c", size=2)))
    api.ask("PATCH", f"{_WIDGETS}/c", {"spec": {"size": 3}}, _MERGE)
    yield (
        "a custom object replaced as it was before",
        _answer(api.ask("PUT", f"{_WIDGETS}/c", {**custom, "spec": {"size": 4}})),
    )
    yield (
        "a custom object patched strategically",
        _answer(api.ask("PATCH", f"{_WIDGETS}/c", {"spec": {"size": 5}}, _STRATEGIC)),
    )


def _applies(api: Api) -> _Told:
    def applied(obj: Any, manager: str, **params: str) -> httpx2.Response:
        path = _MAPS if obj["kind"] == "ConfigMap" else _WIDGETS
        fields = {"fieldManager": manager} if manager else {}
        return api.ask("PATCH", f"{path}/{obj['metadata']['name']}", obj, _APPLY, **fields, **params)

    def plain(obj: Any, **data: str) -> Any:
        return {**obj, "metadata": {"name": obj["metadata"]["name"]}, "data": data}

    one = map_of("applied")
    yield "applied by nobody", _answer(applied(plain(one, a="1"), ""))
    made = applied(plain(one, a="1", b="1"), "ann")
    yield "applied and made", _answer(made)
    yield "applied again", _answer(applied(plain(one, a="1", b="1"), "ann"))
    yield "applied by another with the same", _answer(applied(plain(one, b="1", c="1"), "bob"))
    yield "applied by another with something else", _answer(applied(plain(one, a="2"), "bob"))
    forced = applied(plain(one, a="2"), "bob", force="true")
    yield "applied by force", [forced.status_code, forced.json()["data"]]
    left = applied(plain(one, b="1"), "ann")
    yield "applied without a field that another has now", [left.status_code, left.json().get("data")]
    gone = applied(plain(one), "ann")
    yield "applied without any field", [gone.status_code, gone.json().get("data")]
    api.ask("PATCH", f"{_MAPS}/applied", {"data": {"a": "7"}}, _MERGE, fieldManager="carl")
    yield "applied over what somebody wrote", _answer(applied(plain(one, a="2"), "bob"))
    stale = plain(one, d="1")
    stale["metadata"]["resourceVersion"] = made.json()["metadata"]["resourceVersion"]
    yield "applied as it was before", _answer(applied(stale, "ann"))
    late = plain(map_of("late"), d="1")
    late["metadata"]["resourceVersion"] = "1"
    yield "applied to what is not there any more", _answer(applied(late, "ann"))
    made = applied(widget("applied", color="blue"), "ann")
    yield "a custom object applied and made", [made.status_code, made.json()["spec"]]
    yield "a custom object applied by another", _answer(applied(widget("applied", color="red"), "bob"))


def _statuses(api: Api) -> _Told:
    made = api.ask("POST", _WIDGETS, {**widget("st"), "status": {"phase": "given"}}).json()
    yield "made with a status", [made.get("status"), made["metadata"]["generation"], made["spec"]]
    put = api.ask("PUT", f"{_WIDGETS}/st/status", {**made, "spec": {"size": 9}, "status": {"phase": "up"}}).json()
    yield "its status written", [put["status"], put["spec"], put["metadata"]["generation"]]
    labelled = {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "down"}, "spec": {"size": 8}}
    patched = api.ask("PATCH", f"{_WIDGETS}/st/status", labelled, _MERGE).json()
    yield "its status patched", [patched["status"], patched["spec"], patched["metadata"].get("labels")]
    main = api.ask("PATCH", f"{_WIDGETS}/st", {"status": {"phase": "odd"}, "spec": {"size": 2}}, _MERGE).json()
    yield "itself patched with a status", [main["status"], main["spec"], main["metadata"]["generation"]]
    labels = api.ask("PATCH", f"{_WIDGETS}/st", {"metadata": {"labels": {"a": "b"}}}, _MERGE).json()
    yield "a label does not count", labels["metadata"]["generation"]
    yield "a status that is none", _answer(api.ask("PATCH", f"{_WIDGETS}/st/status", {"status": {"phase": 1}}, _MERGE))
    yield "a status as it was before", _answer(api.ask("PUT", f"{_WIDGETS}/st/status", made))
    yield "the status of what is not there", _answer(api.ask("GET", f"{_WIDGETS}/none/status"))


def _scales(api: Api) -> _Told:
    api.ask("POST", _WIDGETS, widget("unscaled"))
    api.ask("POST", _WIDGETS, widget("scaled", replicas=2))
    path = f"{_WIDGETS}/scaled/scale"

    def shown(response: httpx2.Response) -> list[Any]:
        body = response.json()
        if response.status_code >= 400:
            return _answer(response)
        return [response.status_code, body["kind"], body["apiVersion"], body["spec"], body["status"]]

    yield "a scale", shown(api.ask("GET", path))
    yield "a scale of what says nothing of it", shown(api.ask("GET", f"{_WIDGETS}/unscaled/scale"))
    scale = api.get(path)
    yield "a scale written", shown(api.ask("PUT", path, {**scale, "spec": {"replicas": 3}}))
    yield "a scale as it was before", shown(api.ask("PUT", path, {**scale, "spec": {"replicas": 4}}))
    yield "a scale patched", shown(api.ask("PATCH", path, {"spec": {"replicas": 5}}, _MERGE))
    yield (
        "a scale patched where nothing was",
        shown(api.ask("PATCH", f"{_WIDGETS}/unscaled/scale", {"spec": {"replicas": 1}}, _MERGE)),
    )
    yield "a scale below nothing", shown(api.ask("PATCH", path, {"spec": {"replicas": -1}}, _MERGE))
    yield "what was scaled", [api.get(f"{_WIDGETS}/scaled")[key] for key in ("spec",)]
    yield "how often it was", api.get(f"{_WIDGETS}/scaled")["metadata"]["generation"]


def _validates(api: Api) -> _Told:
    def made(name: str, obj: Any, **params: str) -> list[Any]:
        response = api.ask("POST", _WIDGETS, {**obj, "metadata": {"name": name}}, **params)
        return _answer(response) if response.status_code >= 400 else [response.status_code, response.json().get("spec")]

    unknown = widget("", odd="1")
    yield "a field that is not known", made("v1", unknown)
    yield "a field that is not known, strictly", made("v2", unknown, fieldValidation="Strict")
    yield "a field that is not known, ignored", made("v3", unknown, fieldValidation="Ignore")
    yield (
        "a field of a built-in kind, strictly",
        _answer(api.ask("POST", _MAPS, {**map_of("v"), "odd": 1}, fieldValidation="Strict")),
    )
    yield "a validation that is none", made("v4", unknown, fieldValidation="Maybe")
    specs: dict[str, dict[str, Any]] = {
        "nothing that is required": {"size": None}, "too little": {"size": 0}, "too much": {"size": 10},
        "no number": {"size": "1"}, "no integer": {"size": 1.5}, "none of these": {"color": "green"},
        "too long": {"name": "toolong"}, "another pattern": {"name": "A1"}, "too many": {"parts": ["a", "b", "c"]},
        "no list": {"parts": "a"}, "two at once": {"size": 0, "color": "green"}, "null": {"color": None},
    }  # fmt: skip
    for name, spec in specs.items():
        yield f"a spec with {name}", made(f"x-{name.replace(' ', '-')}", widget("", **spec))
    yield "no spec at all", made("nospec", {"apiVersion": f"{GROUP}/v1", "kind": "Widget"})[:1]
    yield "another kind", made("kind", {**widget(""), "kind": "Gadget"})
    yield "another version", made("version", {**widget(""), "apiVersion": f"{GROUP}/v2"})
    api.ask("POST", _WIDGETS, widget("valid"))
    yield "changed to what is not valid", _answer(api.ask("PATCH", f"{_WIDGETS}/valid", {"spec": {"size": 99}}, _MERGE))
    label = {"metadata": {"labels": {"a": "not valid!"}}}
    yield "a label that is none", _answer(api.ask("PATCH", f"{_WIDGETS}/valid", label, _MERGE))


def _deletes(api: Api) -> _Told:
    made = api.ask("POST", _MAPS, map_of("gone")).json()
    other = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    yield "deleted if it is another", _answer(api.ask("DELETE", f"{_MAPS}/gone", other))
    stale = {"preconditions": {"resourceVersion": "1"}}
    yield "deleted if it is as before", _answer(api.ask("DELETE", f"{_MAPS}/gone", stale))
    deleted = api.ask("DELETE", f"{_MAPS}/gone", {"preconditions": {"uid": made["metadata"]["uid"]}})
    yield "deleted", [deleted.status_code, deleted.json()["kind"], deleted.json().get("status")]
    yield "deleted again", _answer(api.ask("DELETE", f"{_MAPS}/gone"))
    held = widget("held")
    held["metadata"]["finalizers"] = [f"{GROUP}/mine"]
    api.ask("POST", _WIDGETS, held)
    marked = api.ask("DELETE", f"{_WIDGETS}/held")
    yield (
        "deleted and held",
        [marked.status_code, marked.json()["kind"], "deletionTimestamp" in marked.json()["metadata"]],
    )
    yield "held until somebody lets go", api.ask("GET", f"{_WIDGETS}/held").status_code
    yield "a generation more", api.get(f"{_WIDGETS}/held")["metadata"]["generation"]
    freed = api.ask("PATCH", f"{_WIDGETS}/held", {"metadata": {"finalizers": None}}, _MERGE)
    yield "let go", [freed.status_code, api.ask("GET", f"{_WIDGETS}/held").status_code]
    custom = api.ask("POST", _WIDGETS, widget("quick"))
    assert custom.status_code == 201
    quick = api.ask("DELETE", f"{_WIDGETS}/quick")
    yield "a custom object deleted", [quick.status_code, quick.json()["kind"], quick.json().get("status")]
    many = api.ask("DELETE", _MAPS, labelSelector="page")
    yield "many deleted", [many.status_code, many.json()["kind"], len(many.json().get("items", ()))]
    yield "and gone", api.get(_MAPS, labelSelector="page")["items"]
