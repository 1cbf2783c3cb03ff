"""The platform this account started on this machine: found by its data folder, entered by its token.

`dayfly start` leaves `instance.json` and `token` in its run folder (`run/` below the data folder, or the folder that
`run.path` names). Both are believed only when they are ours and private, and only while the process they speak of
lives. Whoever may read them could read the platform's whole data folder anyway, so no login is asked for.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dayfly.client.private_file import read_private
from dayfly.model.errors import ConfigError


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A platform that runs on this machine for this account."""

    pid: int
    gateway_url: str
    console_url: str = ""
    metrics_url: str = ""
    version: str = ""
    data_dir: str = ""
    token: str = ""

    def __repr__(self) -> str:
        """Without the token."""
        return f"Instance(pid={self.pid}, gateway_url={self.gateway_url!r})"


def default_data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the data folder that is used when none is given.

    `DAYFLY_DATA_DIR`; else `/var/lib/dayfly` for root; else `~/.local/share/dayfly`.
    """
    environ = os.environ if environ is None else environ
    if environ.get("DAYFLY_DATA_DIR"):
        return Path(environ["DAYFLY_DATA_DIR"]).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/dayfly")
    return Path(environ.get("HOME") or "~").expanduser() / ".local/share/dayfly"


def find_instance(data_dir: str | None = None, environ: Mapping[str, str] | None = None) -> Instance | None:
    """Return the instance that runs on this data folder, or None when there is none that can be trusted."""
    folder = Path(data_dir).expanduser().absolute() if data_dir else default_data_dir(environ)
    try:
        run_dir = _run_dir(folder)
        about, token = read_private(run_dir / "instance.json"), read_private(run_dir / "token")
        if about is None or token is None:
            return None
        instance = msgspec.json.decode(about, type=Instance)
        instance = msgspec.structs.replace(instance, token=token.decode("ascii").strip())
    except (ConfigError, msgspec.DecodeError, UnicodeDecodeError):
        # Whatever lies there is not ours: the same as nothing, so that nobody can stop our commands by leaving it.
        return None
    return instance if instance.token and _is_alive(instance.pid) else None


def _run_dir(data_dir: Path) -> Path:
    named = read_private(data_dir / "run.path")
    return Path(os.fsdecode(named.strip())) if named else data_dir / "run"


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
