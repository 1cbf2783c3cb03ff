"""OpenFaaS's documents there and back."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.dialects.openfaas.mapping import FUNCTION_LABEL, to_description, to_key, to_spec
from dayfly.dialects.openfaas.wire import FunctionDeployment, FunctionResources
from dayfly.model.errors import InvalidName
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.model.status import FunctionStatus

BUNDLE = "sha256:" + "a" * 64
names = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?\Z")
texts = st.dictionaries(st.text(min_size=1), st.text())
resources = st.builds(
    FunctionResources, memory=st.sampled_from([None, "", "5Mi"]), cpu=st.sampled_from([None, "", "100m"])
)
deployments = st.builds(
    FunctionDeployment,
    service=names,
    image=st.text(min_size=1),
    namespace=st.none() | st.just("") | names,
    env_process=st.none() | st.text(),
    env_vars=st.none() | texts,
    constraints=st.none() | st.lists(st.text()).map(tuple),
    secrets=st.none() | st.lists(names).map(tuple),
    labels=st.none() | texts | texts.map(lambda labels: {**labels, FUNCTION_LABEL: "x"}),
    annotations=st.none() | texts,
    limits=st.none() | resources,
    requests=st.none() | resources,
    read_only_root_filesystem=st.none() | st.booleans(),
)


def status_of(spec: FunctionSpec) -> FunctionStatus:
    return FunctionStatus(
        spec=spec,
        revision=1,
        state="ready",
        desired_replicas=1,
        ready_replicas=0,
        created_unix_ms=0,
        updated_unix_ms=0,
        url="",
    )


def essence(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields without what stands for nothing."""
    limits = {
        name: {key: value for key, value in (fields.get(name) or {}).items() if value}
        for name in ("limits", "requests")
    }
    return {name: value for name, value in {**fields, **limits}.items() if value}


@given(deployments)
def test_what_was_deployed_is_what_is_described(asked: FunctionDeployment) -> None:
    key = to_key(asked.service or "", asked.namespace)
    described = msgspec.to_builtins(to_description(status_of(to_spec(asked, key, bundle=BUNDLE, present=None))))
    assert described["labels"].pop(FUNCTION_LABEL) == asked.service
    deployed = msgspec.to_builtins(asked)
    deployed["name"], deployed["namespace"] = deployed.pop("service"), key.namespace
    (deployed.get("labels") or {}).pop(FUNCTION_LABEL, None)
    ours = ("replicas", "availableReplicas", "invocationCount", "createdAt")
    assert essence({name: value for name, value in described.items() if name not in ours}) == essence(deployed)


@given(deployments)
def test_a_description_deploys_the_same_again(asked: FunctionDeployment) -> None:
    key = to_key(asked.service or "", asked.namespace)
    spec = to_spec(asked, key, bundle=BUNDLE, present=None)
    described = msgspec.to_builtins(to_description(status_of(spec)))
    again = msgspec.convert({"service": described["name"], **described}, FunctionDeployment)
    assert to_spec(again, key, bundle=BUNDLE, present=None) == spec


@given(deployments)
def test_a_description_has_no_null_and_no_empty_optional_part(asked: FunctionDeployment) -> None:
    key = to_key(asked.service or "", asked.namespace)
    document = msgspec.to_builtins(to_description(status_of(to_spec(asked, key, bundle=BUNDLE, present=None))))
    always = {"labels", "annotations", "replicas", "availableReplicas", "invocationCount"}
    assert all(document[name] or name in always for name in document)
    assert always <= document.keys()


def test_a_name_and_its_namespaces() -> None:
    assert to_key("a") == FunctionKey(NamespaceName("openfaas-fn"), FunctionName("a"))
    assert to_key("a.b", "b", None, "") == FunctionKey(NamespaceName("b"), FunctionName("a"))
    for name, namespaces in (("a", ("b", "c")), ("a.openfaas-fn", ("b",)), ("a.b", ("openfaas-fn",)), ("a.b.c", ())):
        with pytest.raises(InvalidName):
            to_key(name, *namespaces)
