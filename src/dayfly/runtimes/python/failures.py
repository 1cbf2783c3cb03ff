"""What an exception of the function's code becomes: an answer, a traceback in the log, a limit's name if it was one.

The kernel refuses in the same words whatever the cause: "no space left" may be a full disk of the machine, "resource
temporarily unavailable" a socket without data. What a function's limits can mean is told here; the rest is the
author's.
"""

import _thread
import contextlib
import errno
import sys
import traceback

from dayfly.runtimes.python import answers, output
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Context, Facts, Request
from dayfly.runtimes.python.handler import Refused

TOLD = {
    "oom": "it asked for more memory than its limit allows (limits.memory)",
    "disk": "its /tmp is full: it takes half of the memory limit, as far as the operator lets it (DAYFLY_MAX_TMP),"
    " and one file for each 16 KiB of that",
    "files": "it has as many files and sockets open as the operator lets a function have (DAYFLY_MAX_FILES)",
    "pids": "it has as many processes and threads as a replica may",
}
_NUMBERS = {
    errno.ENOMEM: "oom",
    errno.ENOSPC: "disk",
    errno.EDQUOT: "disk",
    errno.EMFILE: "files",
}


def failure(error: BaseException, request: Request, context: Context) -> Answer:
    """Return the answer to a call that raised, and log what the author needs to know.

    The traceback is in the answer only of a function that is being written (`Facts.tells_all`).
    """
    if isinstance(error, Refused):
        return answers.problem(error.status, error.code, error.detail, context.call_id)
    facts, text = context.facts, ""
    with contextlib.suppress(MemoryError):  # what struck may still hold when the traceback is printed
        text = traceback_of(error, facts)
        _print(text)
    limit = reason_of(error)
    if limit:
        output.LogPipe(1).line("p", context.call_id, f"limit: {TOLD[limit]}")
        code, detail = limit, f"the function hit a limit: {TOLD[limit]}"
    elif facts.tells_all:
        code, detail = "function_failed", f"the function raised {_last_line(text) or type(error).__name__}"
    else:
        code = "function_failed"
        detail = f"the function raised {type(error).__name__}; its log has the traceback under this call id"
    if facts.tells_all and _is_for_reading(request):
        return Answer(500, answers.TEXT, text.encode("utf-8", "replace"))
    return answers.problem(500, code, detail, context.call_id, traceback=text if facts.tells_all else "")


def print_traceback(error: BaseException, facts: Facts) -> None:
    """Print the traceback from the author's first frame on."""
    _print(traceback_of(error, facts))


def traceback_of(error: BaseException, facts: Facts) -> str:
    """Return the traceback from the author's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("dayfly."):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames or error.__traceback__)
    return facts.as_author_knows_it("".join(lines))


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


def _is_for_reading(request: Request) -> bool:
    """Whether a person sees the answer as it comes: curl shows it, and would have been told to ask for JSON."""
    return request.header(b"user-agent").startswith(b"curl/") and b"json" not in request.header(b"accept")


def _print(text: str) -> None:
    if sys.stderr:  # the author's code may have taken it away
        sys.stderr.write(text)


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]
