"""Why a container is gone, in a word for programs and a sentence for people, from what the engine says of it. Pure."""

import signal

import msgspec

from dayfly.model.replica import ExitReason


class State(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A container's state as the engine tells it."""

    status: str
    """created, running, paused, restarting, removing, exited or dead."""
    exit_code: int = 0
    out_of_memory: bool = msgspec.field(name="OOMKilled", default=False)
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it ran and runs no more."""
        return self.status in ("exited", "dead", "removing", "stopped")


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What we know of an end that the engine does not."""

    stopping: bool = False
    """It was told to end."""
    killed: bool = False
    """It had not done so in time and was killed by us."""
    away: bool = False
    """It ended while the engine could not be asked, and perhaps because it went."""
    ready: bool = False
    memory_bytes: int = 0
    note: str = ""
    """What its author should know should it be the function's fault."""


def ended(state: State | None, about: Circumstances) -> tuple[ExitReason, str]:
    """Return why a container ended; a state of None is one that the engine has no more."""
    if state is None:
        return "lost", "the engine has its container no more: somebody removed it, or the engine lost it"
    told = describe(state.exit_code)
    if about.killed:
        return "killed", f"{told}, because it had not finished in time"
    if about.stopping:
        return "stopped", told
    if state.out_of_memory:
        return "oom", f"{told}: it used more than its memory limit of {about.memory_bytes >> 20} MiB (limits.memory)"
    if about.away:
        return "lost", f"{told} while the container engine was away: its containers may have ended with it"
    reason: ExitReason = "killed" if state.exit_code == 128 + signal.SIGKILL else "crashed"
    if about.ready:
        return reason, told  # callers read it: nothing in it may come from elsewhere
    return reason, ". ".join(part for part in (f"{told} before it served", state.error, about.note) if part)


def describe(exit_code: int) -> str:
    """Return an exit code in words; those above 128 stand for a signal, as everywhere where a shell could be."""
    try:
        name = signal.Signals(exit_code - 128).name if exit_code > 128 else ""
    except ValueError:
        name = ""
    return f"exit code {exit_code} ({name})" if name else f"exit code {exit_code}"
