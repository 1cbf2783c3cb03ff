"""diff and generate: what they print, and the exit code that scripts look at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.client import yaml_text
from dayfly.model.function import FunctionSpec

Run = Callable[..., Any]

STACK = """\
provider: {name: openfaas}
functions:
  one:
    image: x/one
    environment: {B: true, A: 1}
    environment_file: [env.yml]
    labels: {l: "1"}
    annotations: {topic: x}
    secrets: [key]
    limits: {memory: 1Gi}
    constraints: ["zone=a"]
    readonly_root_filesystem: true
  two: {image: "x/two:2", namespace: team}
"""


@pytest.fixture
def stack(home: Path) -> Path:
    (home / "stack.yaml").write_text(STACK)
    (home / "env.yml").write_text("environment: {C: 010}\n")
    return home


@pytest.mark.usefixtures("stack")
def test_what_was_just_deployed_does_not_differ(dayfly: Run) -> None:
    assert dayfly("diff").exit_code == 1
    assert dayfly("deploy", "--no-wait").exit_code == 0
    outcome = dayfly("diff")
    assert (outcome.exit_code, outcome.stdout) == (0, "YAML matches deployment, no differences found.\n")


@pytest.mark.usefixtures("stack")
def test_differences_are_shown_side_by_side(dayfly: Run, platform: Any) -> None:
    platform.add("one", spec=FunctionSpec(name="one", image="x/one:old"))
    outcome = dayfly("diff", "--filter", "*")
    assert (outcome.exit_code, outcome.stderr) == (1, "Differences found\n")
    lines = outcome.stdout.splitlines()
    assert lines[0] == "one.openfaas-fn"
    assert lines[1].split() == ["stack.yaml", "|", "deployed"]
    assert any(line.split() == ["-", "image:", "x/one:latest", "|", "+", "image:", "x/one:old"] for line in lines)
    assert any(line.split() == ["-", "env.A:", "1", "|"] for line in lines)
    assert "two.team" in lines
    assert lines[-2].split() == [
        "-",
        "function:",
        "defined",
        "in",
        "stack.yaml",
        "|",
        "+",
        "function:",
        "not",
        "deployed",
    ]
    assert dayfly("diff", "two", "--filter", "two").exit_code == 2


def test_without_a_stack_file_there_is_nothing_to_compare(dayfly: Run) -> None:
    assert dayfly("diff").exit_code == 64
    assert dayfly("generate").exit_code == 64


@pytest.mark.usefixtures("stack")
def test_functions_become_openfaas_objects(dayfly: Run) -> None:
    outcome = dayfly("generate")
    assert outcome.exit_code == 0, outcome.stderr
    nothing, *documents = outcome.stdout.split("---\n")
    assert nothing == ""
    one, two = map(yaml_text.load, documents)
    assert one == {
        "apiVersion": "openfaas.com/v1",
        "kind": "Function",
        "metadata": {"name": "one", "namespace": "openfaas-fn"},
        "spec": {
            "name": "one",
            "image": "x/one:latest",
            "environment": {"A": "1", "B": "true", "C": "010"},
            "labels": {"l": "1"},
            "annotations": {"topic": "x"},
            "limits": {"memory": "1Gi", "cpu": ""},
            "constraints": ["zone=a"],
            "secrets": ["key"],
            "readOnlyRootFilesystem": "true",
        },
    }
    assert isinstance(two, dict)
    assert two["metadata"] == {"name": "two", "namespace": "team"}
    assert "namespace: other" in dayfly("generate", "-n", "other", "--filter", "two").stdout


@pytest.mark.usefixtures("stack")
def test_functions_become_services_of_knative(dayfly: Run) -> None:
    outcome = dayfly("generate", "--api", "serving.knative.dev/v1", "--filter", "one")
    assert yaml_text.load(outcome.stdout.removeprefix("---\n")) == {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "one", "namespace": "openfaas-fn", "annotations": {"topic": "x"}},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "image": "x/one:latest",
                            "env": [{"name": n, "value": v} for n, v in (("A", "1"), ("B", "true"), ("C", "010"))],
                            "volumeMounts": [
                                {"name": "key", "mountPath": "/var/openfaas/secrets/key", "readOnly": "true"}
                            ],
                        }
                    ],
                    "volumes": [{"name": "key", "secret": {"secretName": "key"}}],
                }
            }
        },
    }
    assert dayfly("generate", "--api", "other/v1").exit_code == 64


def test_a_function_of_the_store_becomes_an_object(dayfly: Run) -> None:
    outcome = dayfly("generate", "--from-store", "figlet", "--name", "fig", "--label", "a=b", "--annotation", "c=d")
    assert outcome.exit_code == 0, outcome.stderr
    found = yaml_text.load(outcome.stdout.removeprefix("---\n"))
    assert isinstance(found, dict)
    assert found["metadata"] == {"name": "fig", "namespace": "openfaas-fn"}
    assert found["spec"]["labels"]["a"] == "b"  # type: ignore[index, call-overload]
    assert found["spec"]["annotations"]["c"] == "d"  # type: ignore[index, call-overload]
    assert dayfly("generate", "--from-store", "nobody").exit_code == 66
    assert dayfly("generate", "--from-store", "figlet", "--tag", "digest").exit_code == 64
