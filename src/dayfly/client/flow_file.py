"""Flow files: a flow as people write it, in YAML or JSON."""

from typing import get_args

import msgspec

from dayfly.client.stack_text import read_text
from dayfly.client.yaml_text import load
from dayfly.model.errors import InvalidSpec
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_step import Step

_KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(Step))


def load_flow(path: str, namespace: str) -> FlowSpec:
    """Return the flow in a file; it is in this namespace unless it names one itself.

    Raises InvalidRequest when the file cannot be read, InvalidSpec for what is no flow.
    """
    tree = load(read_text(path, hint="Name a flow file with -f."))
    if not isinstance(tree, dict):
        raise InvalidSpec(f"{path}: a flow file has a name and steps", hint="docs/flows.md has examples.")
    try:
        spec = msgspec.convert({"namespace": namespace, **tree}, FlowSpec, strict=False)
    except msgspec.ValidationError as error:
        hint = f"What steps `do` is {', '.join(_KINDS)}; docs/flows.md says what each can hold."
        raise InvalidSpec(f"{path}: {error}", hint=hint) from None
    spec.check()
    return spec
