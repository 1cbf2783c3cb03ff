"""The debugger of `dayfly dev --debug`: an editor on one side, a function in its jail on the other, debugpy between.

    editor ──DAP──► 127.0.0.1:5678  adapter  a free port ◄── egress proxy ◄── the jail's loopback ◄── the replica

debugpy's adapter runs here, as the account that writes the function; the function is granted the one port where the
adapter waits for it, and connects. Nothing listens in the jail, and no other port of this machine is opened to it. An
adapter serves one replica, so that each deployment gets a new one, and the editor connects anew.
"""

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys

import msgspec

from dayfly.model.debug import Debug, Debugger
from dayfly.model.errors import NotSupported, Unavailable
from dayfly.model.function import FunctionSpec

_HOST = "127.0.0.1"
_ONE_REPLICA = {"com.openfaas.scale.min": "1", "com.openfaas.scale.max": "1"}
_START_S = 20.0
_TIMEOUT = "24h"
"""What a call may take while somebody looks at it line by line: the longest there is."""


class Adapter:
    """Listens for an editor at `port` from `attach` until `stop`."""

    def __init__(self, port: int) -> None:
        if importlib.util.find_spec("debugpy") is None:
            hint = "Install it beside dayfly: pip install 'dayfly[debug]'."
            raise NotSupported("--debug needs debugpy, which is not there.", hint=hint)
        self.port = port
        self._group = 0

    async def attach(self, spec: FunctionSpec) -> FunctionSpec:
        """Return the deployment whose one replica connects to a new adapter; the one before is ended.

        Raises Unavailable when the port is taken.
        """
        self.stop()
        waits_at = await asyncio.to_thread(self._start)
        debugger = Debugger(waits_at, importlib.metadata.version("debugpy"))
        allow = (*spec.allow, debugger.grant) if spec.network == "proxy" else (debugger.grant,)
        return msgspec.structs.replace(
            spec,
            debug=Debug(spec.debug.source if spec.debug is not None else "", debugger),
            network="host" if spec.network == "host" else "proxy",
            allow=spec.allow if spec.network == "host" else allow,
            timeout=_TIMEOUT,
            concurrency="inline",
            labels={**spec.labels, **_ONE_REPLICA},
        )

    def stop(self) -> None:
        """End the adapter, if there is one; a function that is held at a breakpoint goes on. Idempotent."""
        if self._group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)
            self._group = 0

    def _start(self) -> int:
        """Start an adapter; return the port at which it waits for the function."""
        with socket.create_server((_HOST, 0)) as told:
            told.settimeout(_START_S)
            argv = [sys.executable, "-P", "-m", "debugpy.adapter", "--for-server", str(told.getsockname()[1])]
            # It forks and its parent ends: as a group of its own it can be ended all the same.
            parent = subprocess.Popen(
                [*argv, "--host", _HOST, "--port", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._group = parent.pid
            try:
                connection, _ = told.accept()
                with connection, connection.makefile("rb") as said:
                    found = json.loads(said.read())
            except (OSError, ValueError) as error:
                self.stop()
                raise Unavailable(f"debugpy's adapter did not start: {error}.") from error
            finally:
                parent.wait()
        if "error" in found:
            self.stop()
            hint = "Another debugger is there; --debug-port names another port."
            raise Unavailable(f"No editor can be waited for at {_HOST}:{self.port}: {found['error']}.", hint=hint)
        return int(found["server"]["port"])
