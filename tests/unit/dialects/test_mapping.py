"""OpenFaaS's documents there and back."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.dialects.openfaas.mapping import FUNCTION_LABEL, to_description, to_spec
from dayfly.dialects.openfaas.wire import FunctionDeployment, FunctionResources
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, parse_function_name, parse_namespace
from dayfly.model.status import FunctionStatus

BUNDLE = "sha256:" + "a" * 64
FN = FunctionKey(parse_namespace(""), parse_function_name("fn"))
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


def key_of(asked: FunctionDeployment) -> FunctionKey:
    return FunctionKey(parse_namespace(asked.namespace or ""), parse_function_name(asked.service or ""))


def essence(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields without what stands for nothing."""
    limits = {
        name: {key: value for key, value in (fields.get(name) or {}).items() if value}
        for name in ("limits", "requests")
    }
    return {name: value for name, value in {**fields, **limits}.items() if value}


@given(deployments)
def test_what_was_deployed_is_what_is_described(asked: FunctionDeployment) -> None:
    key = key_of(asked)
    described = msgspec.to_builtins(to_description(status_of(to_spec(asked, key, bundle=BUNDLE, present=None))))
    assert described["labels"].pop(FUNCTION_LABEL) == asked.service
    deployed = msgspec.to_builtins(asked)
    deployed["name"], deployed["namespace"] = deployed.pop("service"), key.namespace
    (deployed.get("labels") or {}).pop(FUNCTION_LABEL, None)
    ours = ("replicas", "availableReplicas", "invocationCount", "createdAt")
    assert essence({name: value for name, value in described.items() if name not in ours}) == essence(deployed)


@given(deployments)
def test_a_description_deploys_the_same_again(asked: FunctionDeployment) -> None:
    key = key_of(asked)
    spec = to_spec(asked, key, bundle=BUNDLE, present=None)
    described = msgspec.to_builtins(to_description(status_of(spec)))
    again = msgspec.convert({"service": described["name"], **described}, FunctionDeployment)
    assert to_spec(again, key, bundle=BUNDLE, present=None) == spec


@given(deployments)
def test_a_description_has_no_null_and_no_empty_optional_part(asked: FunctionDeployment) -> None:
    key = key_of(asked)
    document = msgspec.to_builtins(to_description(status_of(to_spec(asked, key, bundle=BUNDLE, present=None))))
    always = {"labels", "annotations", "replicas", "availableReplicas", "invocationCount"}
    assert all(document[name] or name in always for name in document)
    assert always <= document.keys()


@pytest.mark.parametrize(
    ("process", "env", "runtime"),
    [
        (None, {}, "python"),
        ("", {"mode": "http"}, "python"),
        ("python3 index.py", {}, "python"),
        ("cat", {}, "exec"),
        ("cat", {"mode": "streaming"}, "exec"),
        ("./serve", {"mode": "http", "upstream_url": "http://127.0.0.1:5000"}, "http"),
    ],
)
def test_a_new_function_runs_by_its_process(process: str | None, env: dict[str, str], runtime: str) -> None:
    asked = FunctionDeployment(service="fn", image=BUNDLE, env_process=process, env_vars=env)
    spec = to_spec(asked, FN, bundle=BUNDLE, present=None)
    assert (spec.runtime, spec.lang, spec.process) == (runtime, runtime, process or "")


def test_an_update_changes_the_process_and_not_the_runtime() -> None:
    present = FunctionSpec(name="fn", runtime="exec", process="cat", lang="bash", bundle=BUNDLE)
    without = FunctionDeployment(service="fn", image=BUNDLE)
    assert to_spec(without, FN, bundle=BUNDLE, present=present).process == "cat"
    other = to_spec(FunctionDeployment(service="fn", image=BUNDLE, env_process="env"), FN, bundle=BUNDLE,
                    present=present)  # fmt: skip
    assert (other.runtime, other.process, other.lang) == ("exec", "env", "bash")
    python = FunctionSpec(name="fn", bundle=BUNDLE, process="python index.py")
    spec = to_spec(without, FN, bundle=BUNDLE, present=python)
    assert (spec.runtime, spec.process) == ("python", "")
