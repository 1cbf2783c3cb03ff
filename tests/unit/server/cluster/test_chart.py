"""The Helm chart: as committed, what the generator writes, and in the real Helm the same objects as without Helm."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.server.cluster.making import SETS, find, made, shake
from tests.unit.server.cluster.tools import helm, render

from dayfly.cluster.schema import crds
from dayfly.server.cluster.install import chart, values_file
from dayfly.server.cluster.install.choices import Expression, each, every, is_equal, settled, when
from dayfly.server.cluster.install.credentials import hosts_of
from dayfly.server.cluster.install.template import document

pytestmark = pytest.mark.timeout(300)
CHART = Path(__file__).parents[4] / chart.FOLDER


def test_its_defaults_are_those_of_an_installation_without_helm() -> None:
    told = yaml.safe_load((CHART / "values.yaml").read_text())
    assert told == json.loads(json.dumps(values_file.defaults()))
    assert told["createNamespace"] is False
    assert "namespace" not in told


def test_helm_finds_nothing_wrong(tmp_path: Path) -> None:
    done = helm("lint", "--strict", str(CHART), home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SETS)
def test_helm_makes_the_objects_that_are_made_without_it(name: str, tmp_path: Path) -> None:
    given = {"createNamespace": True, **copy.deepcopy(SETS[name])}
    namespace = given.pop("namespace", "dayfly")
    (tmp_path / "values.json").write_text(json.dumps(given))
    rendered = by_place(render(CHART, tmp_path / "values.json", namespace, tmp_path))
    plain = by_place(made(name, crds()))
    assert sorted(rendered) == sorted(plain)
    for place, node in plain.items():
        assert rendered[place] == node, place


def by_place(nodes: list[Any]) -> dict[tuple[str, str, str], Any]:
    """Return objects by where they are, without what is made at random."""
    found = {}
    for node in nodes:
        if node["kind"] == "Secret":
            node["data"] = {key: value if key == "username" else "" for key, value in node["data"].items()}
        found[node["kind"], node["metadata"].get("namespace", ""), node["metadata"]["name"]] = node
    assert len(found) == len(nodes)
    return found


def test_helm_makes_credentials_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "values.json").write_text(json.dumps({"auth": {"password": "it's {{ odd }}"}}))
    first, second = (render(CHART, tmp_path / "values.json", "faas", tmp_path) for _ in range(2))
    passwords = [find(nodes, "Secret", "dayfly-admin")["data"]["password"] for nodes in (first, second)]
    assert {base64.b64decode(each).decode() for each in passwords} == {"it's {{ odd }}"}
    data, other = (find(nodes, "Secret", "dayfly-internal")["data"] for nodes in (first, second))
    assert {key for key in data if data[key] == other[key]} == set()
    assert len(base64.b64decode(data["token-key"])) == 32
    assert base64.b64decode(data["queue-password"])[:1].isalpha()
    ca, cert, key = (data[name] for name in ("ca.crt", "tls.crt", "tls.key"))
    assert shake(ca, cert, key, hosts_of("faas")[-1], tmp_path) == "TLSv1.3"
    assert "Hostname mismatch" in shake(ca, cert, key, hosts_of("other")[-1], tmp_path)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"service": {"type": "LoadBalancer"}}, "/tls/secret"),
        ({"queue": {"nodes": 2}}, "/queue/nodes"),
        ({"observer": {"storage": "1Gi"}, "control": {"replicas": 2}}, "/control/replicas"),
        ({"unheard": 1}, "unheard"),
        ({"functions": {"everywhere": False, "namespaces": ["team-a"]}}, "/functions/namespaces"),
        ({"ingress": {"enabled": True, "host": "a.b"}, "tls": {"secret": "a"}}, "/tls/secret"),
        ({"httpRoute": {"enabled": True, "host": "a.b", "gateway": "a"}, "tls": {"secret": "a"}}, "/tls/secret"),
        ({"httpRoute": {"enabled": True}}, "/httpRoute"),
        ({"functions": {"namespaces": ["dayfly"]}}, "functions go elsewhere"),
    ],
)
def test_helm_refuses_what_we_refuse(given: Any, says: str, tmp_path: Path) -> None:
    (tmp_path / "values.json").write_text(json.dumps(given))
    arguments = ("template", "release", str(CHART), "--namespace", "dayfly", "--values", str(tmp_path / "values.json"))
    done = helm(*arguments, home=tmp_path)
    assert done.returncode != 0
    assert says in done.stderr


def test_a_choice_that_is_helms_cannot_be_made_by_mistake() -> None:
    odd = Expression.of("$.Values.odd")
    with pytest.raises(TypeError, match="only Helm's"):
        bool(odd)
    with pytest.raises(TypeError, match="only Helm's"):
        odd == "x"  # noqa: B015 - it is the comparison that is refused
    with pytest.raises(TypeError, match="only Helm"):
        settled({"a": when(odd, 1)})


def test_what_a_template_says() -> None:
    name = Expression.of("$.Values.name")
    node = {
        "plain": "word",
        "odd": "no",
        "mixed": f"100% of {name}:\n",
        "braces": "{{ x }}",
        "choice": when(every(is_equal(name, "a"), True), [1], {}),
        "list": [when(name, "b"), each(name, lambda item: {"is": item})],
        "empty": [],
    }
    assert document(node).splitlines() == [
        "---",
        "plain: word",
        'odd: "no"',
        'mixed: {{ printf "100%% of %v:\\n" ($.Values.name) | toJson }}',
        'braces: {{ "{{ x }}" | toJson }}',
        '{{- if and (eq ($.Values.name) "a") (true) }}',
        "choice:",
        "- 1",
        "{{- else }}",
        "choice: {}",
        "{{- end }}",
        "list:",
        "{{- if $.Values.name }}",
        "- b",
        "{{- end }}",
        "{{- range $each := $.Values.name }}",
        "- is: {{ $each | toJson }}",
        "{{- end }}",
        "empty: []",
    ]
