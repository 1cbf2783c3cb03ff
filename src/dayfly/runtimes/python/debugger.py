"""A function under a debugger: its one replica connects to a debug adapter, and from then on does what that says.

debugpy comes as a layer of the function's. It is connected before the handler is imported, so that the author can stop
in what the module does, and nothing waits for an editor: calls are answered whether one is there or not. It runs
threads, which no template may have, so that such a function is imported by its replica itself.
"""

import importlib
import json
import os
from typing import Any

from dayfly.model.replica import StartOrder

_PATHS = "PATHS_FROM_ECLIPSE_TO_PYTHON"
"""pydevd's own name for which folder of an editor's is which of the program's; read when it is imported."""
_QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"


class DebuggerAway(Exception):
    """The debug adapter cannot be had; the text says why."""


def wanted(order: StartOrder) -> bool:
    """Whether the replica is to connect to a debugger."""
    return order.debug is not None and order.debug.debugger is not None


def connect(order: StartOrder) -> None:
    """Connect to the debugger if there is to be one. Raises DebuggerAway."""
    if order.debug is None or order.debug.debugger is None:
        return
    paths = [[order.debug.source, order.code_dir]] if order.debug.source else []
    os.environ |= {_PATHS: json.dumps(paths), _QUIET: "1"}
    port = order.debug.debugger.port
    try:
        debugpy: Any = importlib.import_module("debugpy")
        # Programs that the function starts are its own affair: they may be no Python, and have no way to the adapter.
        debugpy.configure(subProcess=False)
        pydevd: Any = importlib.import_module("pydevd")
        # What debugpy.connect does, but for the wait until an editor is there.
        pydevd.settrace(
            host="127.0.0.1",
            port=port,
            suspend=False,
            wait_for_ready_to_run=False,
            block_until_connected=True,
            patch_multiprocessing=False,
            notify_stdin=False,
        )
    except ImportError as error:
        raise DebuggerAway(f"debugpy {order.debug.debugger.version} cannot be imported: {error}") from error
    except (OSError, SystemExit) as error:
        raise DebuggerAway(
            f"the debugger at 127.0.0.1:{port} of the platform's machine cannot be reached: {error}; `dayfly dev"
            " --debug` works with a platform on the same machine, where functions have a network of their own"
        ) from error
    finally:
        del os.environ[_PATHS], os.environ[_QUIET]
