"""Kinds and objects that earlier versions left in clusters: this version serves and reads them, and back again."""

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.schemas import completed, faults
from tests.cluster.server import Double
from tests.contract.storage.stage import SPACES, connect
from tests.golden import cluster as golden

from dayfly.cluster.schema import crds
from dayfly.storage.kubernetes.functions import KubernetesStore

FOLDERS = sorted((Path(__file__).parents[2] / "golden").glob("*/kubernetes"))


def known(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def restored(kinds: list[Any], objects: dict[str, list[Any]]) -> Double:
    """Return a cluster with these kinds, and with these objects in its etcd."""
    double = Double()
    double.define(copy.deepcopy(kinds))
    double.namespaces(*SPACES)
    for plural, each in objects.items():
        resource = double.resource(plural)
        for obj in copy.deepcopy(each):
            meta = obj["metadata"]
            double.registry._objects[resource.name, meta["namespace"], meta["name"]] = obj
    return double


def found(double: Double, then: Any = None) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        async with connect(double) as api:
            if then is not None:
                await then(api)
            return await golden.read(api, {each.plural for each in double.registry.resources()})

    return asyncio.run(main())


def test_there_is_one_of_the_first_version() -> None:
    assert FOLDERS
    assert {plural for folder in FOLDERS for plural, each in known(folder, "objects").items() if each} == {
        *golden.KINDS
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_what_an_earlier_version_wrote_is_served_read_and_changed(folder: Path) -> None:
    kinds, objects = known(folder, "kinds"), known(folder, "objects")
    double = restored(crds(), objects)
    assert [fault for each in invalid(crds(), objects) for fault in each] == []
    before = found(double)
    there = {"namespaces" if plural == "tenants" else "tokens" if plural == "secrets" else plural for plural in objects}
    assert {name for name, each in before.items() if len(each) == 1} == there - {"revisions"}
    assert before["functions"][0].revision.number == 2
    assert before["routes"][0].spec.host == "shop.example"

    async def change(api: Any) -> None:
        await KubernetesStore(api, golden.HOME).put(golden.function(3))

    assert found(double, change)["functions"][0].revision.number == 3
    # And back: the kinds are the earlier ones again, and what this version wrote is what they hold.
    ours = {plural: double.objects(plural) for plural in golden.KINDS if plural in {*schemas(kinds), "secrets"}}
    assert [fault for each in invalid(kinds, ours) for fault in each] == []
    back = found(restored(kinds, pruned(kinds, ours)))
    assert back["functions"][0].revision.number == 3
    assert {name: len(each) for name, each in back.items()} == {name: len(each) for name, each in before.items()}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_nothing_that_was_promised_is_gone(folder: Path) -> None:
    assert [*broken(known(folder, "kinds"), crds())] == []


def test_what_breaks_a_promise_is_found() -> None:
    spoilt: list[tuple[Callable[[list[Any]], object], str]] = [
        (lambda kinds: kinds.pop(0), "is gone"),
        (lambda kinds: kinds[0]["spec"]["versions"].pop(), "is served no more"),
        (lambda kinds: spec_of(kinds)["properties"].pop("env"), "spec.env is gone"),
        (lambda kinds: spec_of(kinds).update(required=["lang"]), "spec.lang is required"),
        (lambda kinds: spec_of(kinds)["properties"].update(env={"type": "string"}), "spec.env was"),
        (lambda kinds: kinds[0]["spec"]["names"].update(shortNames=[]), "short name"),
    ]
    for spoil, told in spoilt:
        later = crds()
        spoil(later)
        assert any(told in each for each in broken(crds(), later)), told


def spec_of(kinds: list[Any]) -> Any:
    schema: Any = kinds[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def schemas(kinds: list[Any]) -> dict[str, Any]:
    """Return the schema that objects of each kind are stored by."""
    return {
        kind["spec"]["names"]["plural"]: version["schema"]["openAPIV3Schema"]
        for kind in kinds
        for version in kind["spec"]["versions"]
        if version["storage"]
    }


def invalid(kinds: list[Any], objects: dict[str, list[Any]]) -> Iterator[list[str]]:
    """Yield what keeps each object from being one of its kind, without what a server would leave out."""
    for plural, schema in schemas(kinds).items():
        for obj in objects.get(plural, ()):
            kept = completed(schema, obj)
            yield [*faults(schema, {key: kept[key] for key in kept if key != "metadata"})]


def pruned(kinds: list[Any], objects: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the objects as a server with these kinds keeps them once they are written."""
    known = schemas(kinds)
    outer = ("apiVersion", "kind", "metadata")
    return {
        plural: [
            {**completed(known[plural], obj), **{key: obj[key] for key in outer}} if plural in known else obj
            for obj in each
        ]
        for plural, each in objects.items()
    }


def broken(before: list[Any], after: list[Any]) -> Iterator[str]:
    """Yield what objects or people rely on that is not there any more."""
    later = {kind["metadata"]["name"]: kind["spec"] for kind in after}
    for kind in before:
        name, spec = kind["metadata"]["name"], kind["spec"]
        if name not in later:
            yield f"{name} is gone"
            continue
        if {*spec["names"]["shortNames"]} - {*later[name]["names"]["shortNames"]}:
            yield f"{name} has lost a short name"
        versions = {each["name"]: each for each in later[name]["versions"] if each["served"]}
        for version in spec["versions"]:
            if version["name"] not in versions:
                yield f"{name} {version['name']} is served no more"
                continue
            old, new = (each["schema"]["openAPIV3Schema"] for each in (version, versions[version["name"]]))
            yield from narrower(old, new, name)


def narrower(old: Any, new: Any, path: str) -> Iterator[str]:
    """Yield where a schema does not take what the one before took."""
    if old.get("type") != new.get("type") and "type" in new:
        yield f"{path} was {old.get('type', 'anything')} and is {new['type']}"
    for name in {*new.get("required", ())} - {*old.get("required", ())}:
        yield f"{path}.{name} is required now"
    if "enum" in new and {*old.get("enum", ("anything",))} - {*new["enum"]}:
        yield f"{path} takes fewer values"
    for name, inner in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from narrower(inner, new["properties"][name], f"{path}.{name}")
        elif "x-kubernetes-preserve-unknown-fields" not in new:
            yield f"{path}.{name} is gone"
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from narrower(old[key], new[key], f"{path}[]")
