"""`dayfly namespace`: faas-cli's texts, quotas as they are typed, and changes that leave the rest alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dayfly.model.namespace import NamespaceChange, Quota

Run = Callable[..., Any]


def test_namespaces_are_listed_as_faas_cli_does(dayfly: Run, platform: Any) -> None:
    platform.namespaces["team-a"] = NamespaceChange()
    assert dayfly("namespace", "list").stdout == "Namespaces:\n - openfaas-fn\n - team-a\n"
    assert dayfly("ns", "ls", "-o", "name").stdout == "openfaas-fn\nteam-a\n"
    assert json.loads(dayfly("namespace", "list", "-o", "json").stdout) == ["openfaas-fn", "team-a"]


def test_a_namespace_is_made_with_what_is_given(dayfly: Run, platform: Any) -> None:
    done = dayfly(
        "namespace", "create", "team-a", "-l", "team=a", "--annotation", "cost=42",
        "--quota", "functions=10, replicas=50,memory=4Gi,cpu=8,body=1Mi,log-rate=100k",
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "Namespace Created: team-a\n")
    assert platform.namespaces["team-a"] == NamespaceChange(
        labels={"team": "a"},
        annotations={"cost": "42"},
        quota=Quota(functions=10, replicas=50, memory="4Gi", cpu="8", body="1Mi", log_rate="100k"),
    )
    again = dayfly("namespace", "create", "team-a")
    assert (again.exit_code, again.stdout) == (73, "")
    assert "exists already" in again.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("create", "Team"), "namespace"),
        (("create", ""), "empty"),
        (("create", "a", "--quota", "functions=many"), "whole number"),
        (("create", "a", "--quota", "disk=1Gi"), "one of functions, replicas, memory, cpu, body, log_rate"),
        (("create", "a", "--quota", "memory=lots"), "quota.memory"),
        (("create", "a", "-l", "=x"), "KEY=VALUE"),
        (("update", "openfaas-fn"), "Nothing to change"),
        (("update", "openfaas-fn", "--quota", ""), "Nothing to change"),
        (("update", "openfaas-fn", "--quota", "memory=lots"), "quota.memory"),
        (("remove", ""), "empty"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(
    dayfly: Run, platform: Any, args: tuple[str, ...], said: str
) -> None:
    done = dayfly("namespace", *args)
    assert done.exit_code in (2, 64)
    assert said in done.stderr
    assert platform.requests == []


def test_an_update_leaves_alone_what_it_does_not_name(dayfly: Run, platform: Any) -> None:
    platform.namespaces["team-a"] = NamespaceChange(
        labels={"team": "a"}, annotations={"cost": "42"}, quota=Quota(functions=1, memory="1Gi")
    )
    done = dayfly("namespace", "update", "team-a", "--quota", "functions=2,memory=none,replicas=9")
    assert (done.exit_code, done.stdout) == (0, "Namespace Updated: team-a\n")
    changed = platform.namespaces["team-a"]
    assert changed == NamespaceChange(
        labels={"team": "a"}, annotations={"cost": "42"}, quota=Quota(functions=2, replicas=9)
    )
    dayfly("namespace", "update", "team-a", "-l", "stage=test")
    assert platform.namespaces["team-a"].labels == {"stage": "test"}
    assert platform.namespaces["team-a"].quota == Quota(functions=2, replicas=9)
    assert dayfly("namespace", "update", "team-b", "--quota", "functions=1").exit_code == 66


def test_a_namespace_is_shown_with_what_is_used_of_its_quota(dayfly: Run, platform: Any) -> None:
    platform.namespaces["team-a"] = NamespaceChange(labels={"b": "2", "a": "1"}, quota=Quota(functions=3, memory="1Gi"))
    sheet = dict(
        line.split(":", 1) for line in dayfly("namespace", "get", "team-a").stdout.splitlines() if ":" in line[:14]
    )
    told = {name: value.strip() for name, value in sheet.items()}
    assert (told["Name"], told["Functions"], told["Replicas"]) == ("team-a", "0 of 3", "2")
    assert (told["Memory"], told["CPU"]) == ("512Mi of 1Gi", "1500m")
    assert (told["Labels"], told["Annotations"], told["Largest Body"]) == ("a : 1", "<none>", "<no limit>")
    shown = json.loads(dayfly("namespace", "get", "team-a", "-o", "json").stdout)
    assert shown["used"] == {"functions": 0, "replicas": 2, "memory_bytes": 512 * 1024**2, "cpu_millicores": 1500}
    assert shown["quota"]["functions"] == 3
    assert dayfly("namespace", "get", "team-b").exit_code == 66


def test_one_with_functions_is_removed_by_force_only(dayfly: Run, platform: Any) -> None:
    platform.namespaces["team-a"] = NamespaceChange()
    platform.add("hello")
    platform.functions["team-a", "hello"] = platform.functions["openfaas-fn", "hello"]
    refused = dayfly("namespace", "remove", "team-a")
    assert (refused.exit_code, "1 functions" in refused.stderr) == (73, True)
    done = dayfly("ns", "rm", "team-a", "--force")
    assert (done.exit_code, done.stdout) == (0, "Namespace Removed: team-a\n")
    assert list(platform.namespaces) == ["openfaas-fn"]
    assert dayfly("namespace", "delete", "team-a").exit_code == 66
