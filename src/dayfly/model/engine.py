"""The container engine of this machine, if there is one: what image functions run on."""

import msgspec


class ContainerEngine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that answered."""

    name: str
    """`Docker` or `Podman`, or what it calls itself."""
    version: str
    socket: str
    """The path of the unix socket that it listens at."""
    rootless: bool = False
    """Whether it runs without root's rights, so that its containers do too."""
    missing: tuple[str, ...] = ()
    """What it does not enforce here, and what that means."""


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether image functions can run now, and why not."""

    engine: ContainerEngine | None = None
    """The engine that was found; None when none ever was."""
    reason: str = ""
    """Why nothing can be started now: there is no engine, or it is away. Empty while it is there."""

    @property
    def is_up(self) -> bool:
        """Whether an engine is there now."""
        return self.engine is not None and not self.reason
