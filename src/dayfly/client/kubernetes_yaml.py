"""Functions as Kubernetes objects, as `faas-cli generate` writes them: OpenFaaS's Function, and Knative's Service."""

from typing import Any

from dayfly.client import yaml_text
from dayfly.client.stack_function import StackFunction
from dayfly.model.errors import InvalidRequest, InvalidSpec
from dayfly.model.function import FunctionSpec, Resources

OPENFAAS = "openfaas.com/v1"
KNATIVE = "serving.knative.dev/v1"
_SECRETS = "/var/openfaas/secrets"


def objects_yaml(functions: list[StackFunction], api: str, namespace: str) -> str:
    """Return an object for each function, each after a line `---`; `namespace` empty for the function's own.

    Raises InvalidRequest for an API that is none, InvalidSpec for a function without an image.
    """
    return "".join("---\n" + yaml_text.dump(_object(one, api, namespace)) for one in functions)


def own_environment(one: StackFunction) -> dict[str, str]:
    """Return the variables that a function's author gave it, without those of the template."""
    given = one.template.environment
    return {name: value for name, value in one.spec.env.items() if given.get(name) != value}


def _object(one: StackFunction, api: str, namespace: str) -> dict[str, Any]:
    spec = one.spec
    if not spec.image:
        raise InvalidSpec(f"{spec.name} has no image, which is what Kubernetes runs.", hint="Give it one: image: NAME.")
    metadata: dict[str, Any] = {"name": spec.name, "namespace": namespace or spec.namespace}
    if api == KNATIVE:
        if spec.annotations:
            metadata["annotations"] = dict(sorted(spec.annotations.items()))
        return {"apiVersion": api, "kind": "Service", "metadata": metadata, "spec": {"template": _pod(one)}}
    if not api.startswith("openfaas.com/"):
        raise InvalidRequest(f"--api: {api[:60]!r} is none of {OPENFAAS} and {KNATIVE}")
    return {"apiVersion": api, "kind": "Function", "metadata": metadata, "spec": _function(spec, own_environment(one))}


def _function(spec: FunctionSpec, environment: dict[str, str]) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "name": spec.name,
        "image": spec.image,
        "environment": environment,
        "labels": spec.labels,
        "annotations": spec.annotations,
        "limits": _resources(spec.limits),
        "requests": _resources(spec.requests),
        "constraints": list(spec.constraints),
        "secrets": list(spec.secrets),
        "readOnlyRootFilesystem": spec.read_only_root_filesystem,
    }
    return {key: dict(sorted(part.items())) if isinstance(part, dict) else part for key, part in parts.items() if part}


def _pod(one: StackFunction) -> dict[str, Any]:
    container: dict[str, Any] = {"image": one.spec.image}
    environment = own_environment(one)
    if environment:
        container["env"] = [{"name": name, "value": environment[name]} for name in sorted(environment)]
    pod: dict[str, Any] = {"containers": [container]}
    if one.spec.secrets:
        container["volumeMounts"] = [
            {"name": name, "mountPath": f"{_SECRETS}/{name}", "readOnly": True} for name in one.spec.secrets
        ]
        pod["volumes"] = [{"name": name, "secret": {"secretName": name}} for name in one.spec.secrets]
    return {"spec": pod}


def _resources(found: Resources | None) -> dict[str, str]:
    return {"memory": found.memory, "cpu": found.cpu} if found else {}
