"""The adapters of sources: a module a kind, called as the kind is, loaded when the first trigger of the kind runs.

Each has a function `build` of the type `Build` and imports its library at its top, so that a platform without such
triggers neither needs the library nor has it in its memory.
"""

import importlib
from collections.abc import Callable
from typing import Protocol, cast

from dayfly.control.clock import Clock
from dayfly.events.cursors import Cursors, cursor_name
from dayfly.events.port import Source
from dayfly.model.errors import NotSupported
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials

EXTRAS = frozenset(("amqp", "kafka", "mqtt", "postgresql", "redis"))
"""The kinds whose library is an extra of the same name."""
RUNNING = EXTRAS | {"cron", "nats", "s3", "files"}
"""The kinds whose source is run; the others' events come by themselves."""


KEEPING = frozenset(("s3", "files"))
"""The kinds whose server does not know what was delivered."""


class Build(Protocol):
    """Makes the source that a trigger names."""

    def __call__(self, spec: TriggerSpec, credentials: Credentials, clock: Clock, /) -> Source:
        """Return it without connecting. Raises InvalidSpec for what the library would not understand."""
        ...


def load(kind: str, cursors: Cursors | None = None) -> Build:
    """Return what builds sources of this kind; some need cursors. Raises NotSupported with what is to be done."""
    try:
        module = importlib.import_module(f"{__name__}.{kind}")
    except ImportError as error:
        if kind in EXTRAS:
            raise NotSupported(
                f"a trigger of kind {kind} cannot run here without `pip install 'dayfly[{kind}]'`"
            ) from error
        raise NotSupported(f"this version has no source of kind {kind}") from error
    if kind in KEEPING:
        return _keeping(module.build, cursors)
    return cast("Build", module.build)


def check(kind: str) -> None:
    """Refuse a kind whose library is not here. Raises NotSupported with what is to be done."""
    if kind in EXTRAS:
        load(kind)


def _keeping(build: Callable[..., Source], cursors: Cursors | None) -> Build:
    if cursors is None:
        raise NotSupported("there is no place here to keep what a source has seen")

    def with_cursor(spec: TriggerSpec, credentials: Credentials, clock: Clock, /) -> Source:
        return build(spec, credentials, clock, cursor=cursors.of(cursor_name(spec)))

    return with_cursor
