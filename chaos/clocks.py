"""A wall clock that can be made to jump, for the processes of one platform and for nobody else on the machine.

libfaketime stands between the processes and the C library and reads from a file how far off the clock is. Dayfly gives
its children environments of their own, so the preloading is done by the interpreter itself: a `sitecustomize` on the
PYTHONPATH, which control plane and gateways get, starts the interpreter anew with the library. Commands are left out:
with this library Python cannot sleep. The zygote takes no
PYTHONPATH; functions keep the machine's clock, and their stamps differ from the platform's as those of a container
would. The monotonic clock is left alone, as every jump of a real clock leaves it.
"""

import os
from pathlib import Path

_PLACES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1", "/usr/lib64/faketime/*.so.1")
_SITECUSTOMIZE = """
import os, sys
ours = any(word.startswith("dayfly.server.") for word in sys.orig_argv)
if ours and "LD_PRELOAD" not in os.environ:
    os.environ.update({environment!r})
    os.execv(sys.executable, sys.orig_argv)
"""


class CannotFake(Exception):
    """There is no libfaketime; the text says so."""


class JumpingClock:
    """The wall clock of what is started with `environ`, right until it is told to jump. Raises CannotFake."""

    def __init__(self, folder: Path) -> None:
        library = next((str(found) for place in _PLACES for found in Path("/").glob(place[1:])), "")
        if not library:
            raise CannotFake("libfaketime is not installed")
        folder.mkdir(mode=0o755, exist_ok=True)
        self._file = folder / "offset"
        self.jump(0)
        environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(environment=environment))
        self.environ = {
            "PYTHONPATH": os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep)
        }

    def jump(self, offset_s: int) -> None:
        """Be this far off the machine's clock from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset_s:+d}\n")
        fresh.replace(self._file)
