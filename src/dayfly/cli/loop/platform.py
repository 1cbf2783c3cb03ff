"""A platform for as long as `dayfly dev` runs, where no other is there: its own folder, which goes with it.

It is a child of this process and ends with it however that ends; what it keeps on the disk is removed when it is
stopped here.
"""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from dayfly.client.gateway import Target, find_target
from dayfly.model.errors import DayflyError, InternalError, Unavailable

_LAST_LINES = 20
_PATIENCE_S = 2.0
"""How long calls in flight may finish at the end; there is nobody who calls but who ends it."""


class PrivatePlatform:
    """Started in a `with` block, its gateway at the usual port or, where that is taken or not wanted, at another.

    Raises what `dayfly start` does.
    """

    def __init__(self, *, port: int | None = None) -> None:
        self.folder = ""
        self._port = port

    def __enter__(self) -> Self:
        """Start it and return once it serves."""
        from dayfly.server.commands import StartOptions, start

        self.folder = tempfile.mkdtemp(prefix="dayfly-dev-")
        os.chmod(self.folder, 0o711 if os.geteuid() == 0 else 0o700)  # functions of root are other users
        options = StartOptions(
            data_dir=self._data,
            port=self._port,
            console_port=0,
            metrics_port=0,
            attached=True,
            secrets_key_file=str(Path(self.folder, "secrets.key")),  # of no use to anybody once the secrets are gone
        )
        try:
            start(options, say=lambda _: None)
        except DayflyError as error:
            # What its log says goes with the folder.
            lines = self._last_lines()
            hint = error.hint if not lines else ""
            raise type(error)("\n".join([error.message, *lines]), hint=hint) from error
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Stop it, and remove its folder."""
        from dayfly.server.commands import stop

        try:
            try:
                stop(self._data, timeout_s=_PATIENCE_S)
            except (Unavailable, KeyboardInterrupt):
                stop(self._data)  # told a second time, it stops at once
        finally:
            self._remove()

    @property
    def target(self) -> Target:
        """How to reach it. Raises InternalError when it is gone."""
        found = find_target(data_dir=self._data, environ={"HOME": self.folder})
        if found is None:
            raise InternalError("The private platform of `dayfly dev` is gone.")
        return found

    @property
    def _data(self) -> str:
        return str(Path(self.folder, "data"))

    def _last_lines(self) -> list[str]:
        """What the platform logged last; the folder is removed."""
        log = Path(self._data, "log", "platform.log")
        lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:] if log.is_file() else []
        self._remove()
        return lines

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
