"""Our kinds as a real API server serves them: what it refuses, its older version, what `kubectl get` shows of them."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from tests.kubernetes.installation import FUNCTIONS, PLACE, Installation, saying, until
from tests.kubernetes.standing import names

from dayfly.cluster.columns import columns
from dayfly.cluster.kinds import OLDER_VERSIONS, OURS, REVISION, STORED_VERSION, TENANT, Kind
from dayfly.cluster.schema import crds

pytestmark = pytest.mark.timeout(600)
_RULES = "x-kubernetes-validations"
_SOURCE = {"source": {"handler.py": saying("no")}}
_HOST = "older.example"
_AMOUNTS = ("calls", "cpu_seconds", "gib_seconds")
_WRONG: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("Function", "give the code once"): _SOURCE | {"archive": {"data": "eA==", "sha256": "0" * 64}},
    ("Function", "the runtime image needs"): _SOURCE | {"runtime": "image"},
    ("Function", "the runtimes exec and http need"): _SOURCE | {"runtime": "exec"},
    ("Function", "give the archive once"): {"archive": {"url": "https://a.b/c", "data": "eA==", "sha256": "0" * 64}},
    ("Budget", "name what is bounded"): {"function": "a"},
    **{("Budget", f"{each}: say how much"): {each: {}} for each in _AMOUNTS},
}
"""A spec for each rule that is about more than what kind of thing something is."""
_AROUND: Mapping[tuple[str, str], Callable[[Any], Mapping[str, Any]]] = {
    ("Route", "auth"): lambda inner: {"host": "a.b", "path": "/x", "targets": [{"function": "a"}], "auth": inner},
    ("Trigger", "source"): lambda inner: {"function": "a", "source": inner},
    ("Flow", "steps"): lambda inner: {"steps": [inner]},
}
"""The spec around something of which there are several kinds."""


def _rules(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
    """Return each rule and where it is."""
    if isinstance(schema, dict):
        for rule in schema.get(_RULES, ()):
            yield path, rule
        for name, inner in schema.items():
            if name != _RULES:
                yield from _rules(inner, path if name in ("properties", "items") else (*path, name))


def _wrong(kind: str, path: tuple[str, ...], rule: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a spec that breaks this rule."""
    told = f"{path[-1]}: {rule['message']}"
    for (of, message), spec in _WRONG.items():
        if of == kind and (rule["message"].startswith(message) or told.startswith(message)):
            return spec
    tag, value = rule["message"].split(" needs ")[0].split()
    return _AROUND[kind, path[1]]({tag: value})


def test_each_rule_of_each_kind_refuses_what_breaks_it(cluster: Installation) -> None:
    wrong: list[Any] = []
    expected: dict[str, str] = {}
    for crd in crds():
        kind = crd["spec"]["names"]["kind"]
        for version in crd["spec"]["versions"]:
            for path, rule in _rules(version["schema"]["openAPIV3Schema"]):
                if kind == REVISION.name:
                    continue  # what is refused there is a change
                name = f"wrong-{len(wrong)}"
                api, meta = f"dayfly.dev/{version['name']}", {"name": name, "namespace": PLACE}
                spec = _wrong(kind, path, rule)
                wrong.append({"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec})
                expected[name] = rule["message"]
    told = json.dumps({"apiVersion": "v1", "kind": "List", "items": wrong})
    said = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=told, fails=True)
    answers = said.split("The ")
    for name, message in expected.items():
        (answer,) = [each for each in answers if f'"{name}" is invalid' in each]
        assert message in answer
    assert len(expected) > 60
    assert " created" not in said


@pytest.fixture(scope="module")
def one_of_each(cluster: Installation) -> Iterator[str]:
    """An object of each kind, as the older version writes them, all of the same name but for the tenant's."""
    name = "each"
    specs = {
        "Function": {"lang": "python", "runtime": "python", "source": {"handler.py": saying("older")}},
        "Route": {"host": _HOST, "path": "/", "targets": [{"function": name}]},
        "Trigger": {"function": name, "source": {"kind": "cron", "schedule": "@yearly"}, "paused": True},
        "Flow": {"steps": [{"name": "a", "do": "call", "function": name}]},
        "Budget": {"function": name, "calls": {"day": 1000}},
        "Tenant": {"quota": {"functions": 1000}},
    }
    called = dict.fromkeys(specs, name) | {"Tenant": PLACE}
    cluster.dayfly("route", "grant", _HOST, "--namespace", PLACE)
    for kind, spec in specs.items():
        meta = {"name": called[kind], "namespace": PLACE}
        obj = {"apiVersion": f"dayfly.dev/{OLDER_VERSIONS[0]}", "kind": kind, "metadata": meta, "spec": spec}
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(obj))
    yield name
    for kind in specs:
        cluster.kubectl("-n", PLACE, "delete", f"{kind.lower()}.dayfly.dev", called[kind])


def test_what_the_older_version_writes_is_deployed_and_read_in_both(cluster: Installation, one_of_each: str) -> None:
    cluster.answers(one_of_each, "older")
    until(
        lambda: cluster.http.get(f"{cluster.url}/", headers={"Host": _HOST}).text == "older",
        "the route leads nowhere",
        lambda: cluster.kubectl("-n", PLACE, "get", "route.dayfly.dev", one_of_each, "-o", "yaml"),
    )
    for kind in OURS:
        at = f"namespaces/{PLACE}/{kind.plural}"
        read = {
            version: json.loads(cluster.kubectl("get", "--raw", f"/apis/dayfly.dev/{version}/{at}"))["items"]
            for version in (STORED_VERSION, *OLDER_VERSIONS)
        }
        assert read[STORED_VERSION], kind.name
        for version, items in read.items():
            assert {each["apiVersion"] for each in items} == {f"dayfly.dev/{version}"}
        newer, older = ([each["spec"] for each in read[version]] for version in (STORED_VERSION, *OLDER_VERSIONS))
        assert newer == older
    stored = {tuple(each["status"]["storedVersions"]) for each in cluster.objects("crds") if _is_ours(each)}
    assert stored == {(STORED_VERSION,)}


def _is_ours(crd: Any) -> bool:
    return bool(crd["spec"]["group"] == "dayfly.dev")


def test_a_revision_is_never_changed(cluster: Installation, one_of_each: str) -> None:
    cluster.answers(one_of_each, "older")
    patch = json.dumps({"spec": {"lang": "other"}})
    argv = ("-n", PLACE, "patch", "revision.dayfly.dev", f"{one_of_each}-1", "--type=merge", "-p", patch)
    assert "a revision is never changed" in cluster.kubectl(*argv, fails=True)


def test_short_names_and_categories_find_them(cluster: Installation, one_of_each: str) -> None:
    def found(what: str) -> set[str]:
        lines = cluster.kubectl("-n", PLACE, "get", what, "-o", "name").splitlines()
        return {line.split(".dayfly.dev/")[0] for line in lines if ".dayfly.dev/" in line}

    cluster.answers(one_of_each, "older")
    every = {kind.name.lower() for kind in OURS}
    short = ("fn", "fnrev", "fnroute", "fntrigger", "fnflow", "fnbudget", "fntenant")
    assert set.union(*map(found, short)) == every
    assert found("dayfly") == every
    assert found("all") == every - {REVISION.name.lower(), TENANT.name.lower()}


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.plural)
def test_the_table_of_a_kind_says_how_each_stands(cluster: Installation, one_of_each: str, kind: Kind) -> None:
    cluster.answers(one_of_each, "older")
    name = {REVISION: f"{one_of_each}-1", TENANT: PLACE}.get(kind, one_of_each)

    def table(*how: str) -> tuple[list[str], list[str]]:
        lines = cluster.kubectl("-n", PLACE, "get", f"{kind.plural}.dayfly.dev", name, *how).splitlines()
        return lines[0].split(), lines[1].split()

    plain, more = (
        [each["name"].upper() for each in columns(kind) if each.get("priority", 0) <= up_to] for up_to in (0, 1)
    )
    assert table()[0] == ["NAME", *plain]
    assert table("-o", "wide")[0] == ["NAME", *more]
    if "READY" in plain:
        until(lambda: "True" in table()[1], f"the {kind.name} is not said to be ready", table)


def test_the_line_of_a_function_says_all_of_it(cluster: Installation, one_of_each: str) -> None:
    cluster.answers(one_of_each, "older")

    def line() -> list[str]:
        return cluster.kubectl("-n", PLACE, "get", "fn", one_of_each, "--no-headers").split()

    until(lambda: line()[:5] == [one_of_each, "True", "1", "1", "python"], "the line says something else", line)
    assert line()[5].endswith(f"/function/{one_of_each}")


def test_what_scales_by_the_subresource_finds_the_pods(cluster: Installation, one_of_each: str) -> None:
    cluster.kubectl("-n", PLACE, "scale", f"fn/{one_of_each}", "--replicas=2")
    cluster.scaled(one_of_each, 2)
    path = f"/apis/dayfly.dev/v1/namespaces/{PLACE}/functions/{one_of_each}/scale"
    scale = json.loads(cluster.kubectl("get", "--raw", path))
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 2)
    pods = cluster.objects("pods", FUNCTIONS, "-l", scale["status"]["selector"])
    assert names(cluster.pods_of(one_of_each)) <= names(pods)
    argv = ("-n", PLACE, "scale", f"fn/{one_of_each}", "--replicas=1", "--current-replicas=5")
    assert "Expected replicas" in cluster.kubectl(*argv, fails=True)
