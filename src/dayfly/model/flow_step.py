"""The steps that flows are made of.

A step has a name, by which later steps find its result, and may say how it is tried again, what is done when it fails,
and how long one attempt may take. Expressions are JMESPath over what a run knows at that place: `input`, the result of
every earlier step under its name, `last` for the one just before, `item` and `index` inside a map or filter, `error`
inside a catch.
"""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

MAX_BRANCHES = 50


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a flow's file: what it does not know it refuses."""


class Retry(Part, frozen=True, kw_only=True):
    """How often a step that fails is tried, and after which waits."""

    attempts: int = 3
    """The first time included."""
    wait: str = "1s"
    """After the first attempt; it doubles with every further one."""
    max_wait: str = "5m"
    on: tuple[str, ...] = ()
    """Codes of errors after which it is tried again; empty for all that another attempt may cure."""


class Catch(Part, frozen=True, kw_only=True):
    """What is done when a step has failed for good; the result of the last of these steps is then the step's."""

    steps: tuple["Step", ...]
    on: tuple[str, ...] = ()
    """Codes of errors that it is done for; empty for all."""


class _Step(Part, frozen=True, kw_only=True, tag_field="do"):
    name: str
    retry: Retry | None = None
    catch: Catch | None = None
    timeout: str = ""
    """How long one attempt may take; empty for as long as the flow."""


class Call(_Step, frozen=True, kw_only=True, tag="call"):
    """Call a function; its answer is the result."""

    function: str
    body: str = ""
    """An expression for what it is sent; empty for what came before."""


class Code(_Step, frozen=True, kw_only=True, tag="code"):
    """Let a function say what comes next: `async def flow(ctx, input)`; what it returns is the result."""

    function: str
    body: str = ""
    """An expression for its input; empty for what came before."""


class Set(_Step, frozen=True, kw_only=True, tag="set"):
    """Work out a value."""

    value: str


class Branch(Part, frozen=True, kw_only=True):
    """Steps that are taken when a condition holds."""

    when: str
    steps: tuple["Step", ...]


class Choice(_Step, frozen=True, kw_only=True, tag="choice"):
    """Take the steps of the first branch whose condition holds, else those of `otherwise`."""

    branches: tuple[Branch, ...]
    otherwise: tuple["Step", ...] = ()


class Parallel(_Step, frozen=True, kw_only=True, tag="parallel"):
    """Take several branches at once; the result has theirs under their names."""

    branches: dict[str, tuple["Step", ...]]
    concurrency: int = MAX_BRANCHES


class Map(_Step, frozen=True, kw_only=True, tag="map"):
    """Take steps for each item of a list, several at once; the result is the list of theirs, in the same order."""

    over: str
    steps: tuple["Step", ...]
    concurrency: int = 10


class Filter(_Step, frozen=True, kw_only=True, tag="filter"):
    """Keep the items of a list for which a condition holds."""

    over: str
    keep: str


class Split(_Step, frozen=True, kw_only=True, tag="split"):
    """Cut a list into lists of `size`, or a text into those between `by`."""

    over: str
    size: int = 0
    by: str = ""


class Delay(_Step, frozen=True, kw_only=True, tag="delay"):
    """Wait for a time; what came before is the result."""

    span: str = msgspec.field(default="", name="for")
    until: str = ""
    """An expression for a moment, as RFC 3339 has it."""


class Wait(_Step, frozen=True, kw_only=True, tag="wait"):
    """Wait for an event that somebody sends to the run; what came with it is the result."""

    event: str


class Approval(_Step, frozen=True, kw_only=True, tag="approval"):
    """Wait until a person approves; a rejection fails with the code `rejected`."""

    prompt: str = ""
    """What the person is asked."""


class Group(_Step, frozen=True, kw_only=True, tag="group"):
    """Take steps one after another, to be tried again, timed and caught together."""

    steps: tuple["Step", ...]


class Fail(_Step, frozen=True, kw_only=True, tag="fail"):
    """Fail with a code and a text of one's own."""

    code: str = "failed"
    message: str = ""


Step: TypeAlias = (
    Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail
)  # fmt: skip


def inner(step: Step) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Yield the sequences inside a step and how a path names each; a map's with `*` for the item's number."""
    if isinstance(step, Choice):
        yield from ((str(at), branch.steps) for at, branch in enumerate(step.branches))
        yield "otherwise", step.otherwise
    elif isinstance(step, Parallel):
        yield from step.branches.items()
    elif isinstance(step, Map):
        yield "*", step.steps
    elif isinstance(step, Group):
        yield "", step.steps
    if step.catch is not None:
        yield "~catch", step.catch.steps


def every(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield the steps and all that are inside them, in the order they are written."""
    for step in steps:
        yield step
        for _, within in inner(step):
            yield from every(within)


def expressions(step: Step) -> Iterator[tuple[str, str]]:
    """Yield the expressions of a step, not of those inside it, and the fields they are in."""
    if isinstance(step, Choice):
        yield from ((f"branches[{at}].when", branch.when) for at, branch in enumerate(step.branches))
    names = {Call: ("body",), Code: ("body",), Set: ("value",), Map: ("over",), Filter: ("over", "keep"),
             Split: ("over",), Delay: ("until",)}  # fmt: skip
    for name in names.get(type(step), ()):
        text = getattr(step, name)
        if text or not isinstance(step, Call | Code | Delay):
            yield name, text
