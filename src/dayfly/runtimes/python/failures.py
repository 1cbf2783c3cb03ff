"""What an exception of the function's code becomes: an answer, a traceback in the log, a limit's name if it was one.

The kernel refuses in the same words whatever the cause: "no space left" may be a full disk of the machine, "resource
temporarily unavailable" a socket without data. What a function's limits can mean is told here; the rest is the
author's.
"""

import _thread
import contextlib
import errno
import traceback

from dayfly.runtimes.python import answers, output
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Context
from dayfly.runtimes.python.handler import Refused

TOLD = {
    "oom": "it asked for more memory than its limit allows (limits.memory)",
    "disk": "its /tmp is full: it takes half of the memory limit, and one file for each 16 KiB of that",
    "files": "it has as many files and sockets open as a function may: 4096",
    "pids": "it has as many processes and threads as a replica may",
}
_NUMBERS = {
    errno.ENOMEM: "oom",
    errno.ENOSPC: "disk",
    errno.EDQUOT: "disk",
    errno.EMFILE: "files",
}


def failure(error: BaseException, context: Context) -> Answer:
    """Return the answer to a call that raised, and log what the author needs to know."""
    if isinstance(error, Refused):
        return answers.problem(error.status, error.code, error.detail, context.call_id)
    with contextlib.suppress(MemoryError):  # what struck may still hold when the traceback is printed
        print_traceback(error)
    limit = reason_of(error)
    if limit:
        output.LogPipe(1).line("p", context.call_id, f"limit: {TOLD[limit]}")
        return answers.problem(500, limit, f"the function hit a limit: {TOLD[limit]}", context.call_id)
    detail = f"the function raised {type(error).__name__}; its log has the traceback under this call id"
    return answers.problem(500, "function_failed", detail, context.call_id)


def print_traceback(error: BaseException) -> None:
    """Print the traceback from the author's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("dayfly."):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames or error.__traceback__)


def reason_of(error: BaseException) -> str:
    """Return the limit that refused, a key of TOLD; nothing when it was none."""
    if isinstance(error, MemoryError):
        return "oom"
    if isinstance(error, OSError):
        if error.errno == errno.EAGAIN:
            return "pids" if _no_thread_can_be_made() else ""
        return _NUMBERS.get(error.errno or 0, "")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "pids"
    return ""


def _no_thread_can_be_made() -> bool:
    try:
        _thread.start_new_thread(int, ())
    except RuntimeError:
        return True
    return False
