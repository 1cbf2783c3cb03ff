"""What a stack file asks for and what is deployed, field by field. Pure."""

from typing import Literal

import msgspec

from dayfly.client.kubernetes_yaml import own_environment
from dayfly.client.stack_function import StackFunction
from dayfly.model.function import FunctionSpec, Resources

EnvMode = Literal["local", "remote", "all"]
"""local: variables that only the deployment has do not count. remote: those that only the file has do not."""
_PRESENT = "present"


class Difference(msgspec.Struct, frozen=True):
    """A field that is not the same on both sides; None where a side does not have it."""

    field: str
    here: str | None
    there: str | None


def differences(one: StackFunction, deployed: FunctionSpec | None, mode: EnvMode = "local") -> list[Difference]:
    """Return the fields that differ, sorted; one of its own for a function that is not deployed."""
    if deployed is None:
        return [Difference("function", "defined in stack.yaml", "not deployed")]
    # What only the template says is not the file's, so that its absence in a deployment is no difference.
    process = one.spec.process if one.spec.process != one.template.process else ""
    here, there = _fields(one.spec, own_environment(one), process), _fields(deployed, deployed.env, deployed.process)
    return [
        Difference(field, here.get(field), there.get(field))
        for field in sorted({*here, *there})
        if here.get(field) != there.get(field) and _counts(field, here, there, mode)
    ]


def _counts(field: str, here: dict[str, str], there: dict[str, str], mode: EnvMode) -> bool:
    if field in here and field in there:
        return True
    if field == "fprocess":
        return field in here
    if field == "image":
        return field in here
    if not field.startswith("env.") or mode == "all":
        return True
    return field in (here if mode == "local" else there)


def _fields(spec: FunctionSpec, environment: dict[str, str], process: str) -> dict[str, str]:
    fields = {"image": spec.image, "fprocess": process}
    fields |= {f"{part}.{key}": text for part in ("limits", "requests") for key, text in _amounts(spec, part)}
    fields = {field: text for field, text in fields.items() if text}
    fields["readonly_root_filesystem"] = "true" if spec.read_only_root_filesystem else "false"
    fields |= {f"env.{name}": value for name, value in environment.items()}
    fields |= {f"label.{name}": value for name, value in spec.labels.items()}
    fields |= {f"annotation.{name}": value for name, value in spec.annotations.items()}
    fields |= {f"secret.{name}": _PRESENT for name in spec.secrets}
    fields |= {f"constraint.{text}": _PRESENT for text in spec.constraints}
    return fields


def _amounts(spec: FunctionSpec, part: str) -> list[tuple[str, str]]:
    found: Resources | None = getattr(spec, part)
    return [("cpu", found.cpu), ("memory", found.memory)] if found is not None else []
