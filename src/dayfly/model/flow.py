"""Flows: steps that are taken one after another and together, and that outlive whatever dies meanwhile."""

from typing import Literal

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.flow_rules import MAX_EXPRESSION, MAX_TEXT, check_steps, span_s
from dayfly.model.flow_step import Call, Code, Part, Step
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName, parse_flow_name, parse_namespace

FlowMode = Literal["create", "update", "upsert"]
MAX_SPEC_BYTES = 256 * 1024
DEFAULT_TIMEOUT = "720h"


class FlowSpec(Part, frozen=True, kw_only=True):
    """What somebody wants a flow to be; a flow's file holds just this."""

    name: str
    namespace: str = DEFAULT_NAMESPACE
    description: str = ""
    steps: tuple[Step, ...]
    output: str = ""
    """An expression for the result; empty for that of the last step."""
    timeout: str = DEFAULT_TIMEOUT
    """How long a run may take; 30 days."""

    @classmethod
    def sequence(cls, name: str, namespace: str, functions: tuple[str, ...]) -> "FlowSpec":
        """Return a flow that calls the functions one after another, each with what the one before answered."""
        steps = tuple(
            Call(name=_step_name(function, functions[:at]), function=function) for at, function in enumerate(functions)
        )
        return cls(name=name, namespace=namespace, steps=steps)

    @classmethod
    def code(cls, name: str, namespace: str, function: str) -> "FlowSpec":
        """Return a flow that is what a function says: `async def flow(ctx, input)`."""
        return cls(name=name, namespace=namespace, steps=(Code(name="code", function=function),))

    @property
    def timeout_ms(self) -> int:
        """The same in milliseconds."""
        return round(span_s("timeout", self.timeout) * 1000)

    def check(self) -> None:
        """Refuse what cannot be kept or would not work. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_flow_name(self.name)
        parse_namespace(self.namespace)
        if not self.steps:
            raise InvalidSpec("steps: a flow has one at least")
        if len(self.description) > MAX_TEXT or len(self.output) > MAX_EXPRESSION:
            raise InvalidSpec(
                f"description has at most {MAX_TEXT} characters, output an expression of at most {MAX_EXPRESSION}"
            )
        _ = self.timeout_ms
        check_steps(self.steps)
        size_bytes = len(msgspec.json.encode(self))
        if size_bytes > MAX_SPEC_BYTES:
            raise InvalidSpec(f"the flow has {size_bytes} bytes; it has at most {MAX_SPEC_BYTES}")


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as it is kept. Runs under way keep the spec that they began with."""

    spec: FlowSpec
    created_unix_ms: int
    updated_unix_ms: int

    @property
    def key(self) -> tuple[NamespaceName, str]:
        """Its identity."""
        return NamespaceName(self.spec.namespace), self.spec.name


def _step_name(function: str, before: tuple[str, ...]) -> str:
    """Return a name for the step that calls a function: its own, with a number when it is called once more."""
    name = function if function[:1].isalpha() else f"f{function}"
    times = before.count(function)
    return f"{name[:58]}-{times + 1}" if times else name
