"""The command with which a container engine runs one function's image on this machine."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dayfly.cli.local_secrets import FOLDER
from dayfly.model.errors import InvalidRequest
from dayfly.model.quantities import parse_cpu

if TYPE_CHECKING:
    from dayfly.client.stack_function import StackFunction

_LEAST_MEMORY_BYTES = 6 * 1024 * 1024
"""Docker refuses to reserve less."""
_PLACE = "/var/openfaas/secrets"


def engine_argv(engine: str, one: "StackFunction", port: int, network: str, project: Path) -> list[str]:
    """Return the words of the command; `project` is the folder in which the secrets are.

    Raises InvalidRequest for a function without an image, or with a secret that is not there.
    """
    spec = one.spec
    if not spec.image:
        raise InvalidRequest(f"{spec.name} has no image that a container engine could run.")
    argv = [engine, "run", "--name", name_of(one), "--rm", "-i"]
    argv += [f"--network={network}"] if network else []
    argv += [] if network == "host" else [f"--publish=127.0.0.1:{port}:8080"]
    argv += [f"--env={name}={value}" for name, value in sorted(spec.env.items())]
    argv += [f"--env=fprocess={spec.process}"] if spec.process else []
    argv += ["--read-only", "--tmpfs=/tmp"] if spec.read_only_root_filesystem else []
    if spec.limits and spec.limits.memory:
        argv.append(f"--memory-reservation={max(spec.limits.memory_bytes, _LEAST_MEMORY_BYTES)}")
    if spec.limits and spec.limits.cpu:
        argv.append(f"--cpus={parse_cpu(spec.limits.cpu) / 1000:g}")
    if spec.secrets:
        argv.append(f"--volume={_secrets(spec.secrets, project / FOLDER)}:{_PLACE}:ro")
    return [*argv, spec.image]


def name_of(one: "StackFunction") -> str:
    """Return what the container is called."""
    return f"dayfly-local-{one.spec.name}"


def shown(argv: Sequence[str]) -> str:
    """Return the command as a shell takes it."""
    return shlex.join(argv)


def _secrets(names: Sequence[str], folder: Path) -> Path:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InvalidRequest(
            f"These secrets are not in {folder}: {', '.join(missing)}.", hint="Write each to a file of its name there."
        )
    return folder.resolve()
