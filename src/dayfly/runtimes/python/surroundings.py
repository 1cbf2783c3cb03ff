"""What a function finds around it in its process: environment, paths and interpreter, and nothing of the platform's."""

import os
import sys

from dayfly.model.replica import StartOrder
from dayfly.runtimes.python.limits import limits_of

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def surround(order: StartOrder) -> None:
    """Set the environment, the paths and the interpreter as the function will find them."""
    os.environ.clear()
    os.environ.update(
        {
            "PATH": f"{os.path.join(sys.base_exec_prefix, 'bin')}:/usr/local/bin:/usr/bin:/bin",
            "HOME": "/tmp",  # noqa: S108 - inside the new root it is the function's own
            "TMPDIR": "/tmp",  # noqa: S108 - the function's own
            "LANG": "C.UTF-8",
            **dict.fromkeys(_ONE_THREAD, "1"),
            **order.env,
            "OPENFAAS_NAME": order.key.name,
            "OPENFAAS_NAMESPACE": order.key.namespace,
            "DAYFLY_FUNCTION": order.key.name,
            "DAYFLY_NAMESPACE": order.key.namespace,
            "DAYFLY_REVISION": str(order.revision),
            "DAYFLY_TIMEOUT_SECONDS": f"{order.timeout_s:g}",
            "DAYFLY_MEMORY_BYTES": str(limits_of(order).memory_bytes),
        }
    )
    if order.runtime == "python":
        sys.path[:] = [order.code_dir, *sys.path, *order.layer_dirs]
    sys.argv = [order.handler]
    sys.executable = os.path.realpath(sys.executable)
    sys.dont_write_bytecode = True  # the folders are read-only
