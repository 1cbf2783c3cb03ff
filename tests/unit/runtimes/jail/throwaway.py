"""Children that take rights away from themselves, try something, and tell how it went."""

import json
import os
import traceback
from collections.abc import Callable
from typing import Any


def in_child(body: Callable[[], Any]) -> Any:
    """Run `body` in a fork of this process and return what it returned; it must be JSON.

    An OSError it raises comes back as the name of its number, a death by signal as `signal N`.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            try:
                told = body()
            except OSError as error:
                told = errno_name(error)
            os.write(writer, json.dumps(told).encode())
            code = 0
        except BaseException:  # nothing may get back into the test runner's copy
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    assert status == 0, "the child failed; its traceback is above"
    return json.loads(answer)


def attempt(action: Callable[[], Any]) -> str:
    """Return `done`, or the name of the error number that `action` failed with."""
    try:
        action()
    except OSError as error:
        return errno_name(error)
    return "done"


def errno_name(error: OSError) -> str:
    """Return the name of the error's number."""
    import errno

    return errno.errorcode.get(error.errno or 0, str(error))
