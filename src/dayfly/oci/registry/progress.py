"""What a transfer tells of itself while it runs."""

from collections.abc import Callable
from typing import Literal

import msgspec

from dayfly.oci.manifest import Descriptor

State = Literal["moving", "moved", "present", "mounted"]
"""Under way; here now; was there already; taken over from another repository of the same registry."""


class Step(msgspec.Struct, frozen=True):
    """How far one blob or manifest is."""

    blob: Descriptor
    state: State
    done: int
    """Bytes of it that have arrived."""


Progress = Callable[[Step], None]
"""Is told of every step, on the loop: it must be quick."""


def ignore(_: Step) -> None:
    """Be told and do nothing."""
