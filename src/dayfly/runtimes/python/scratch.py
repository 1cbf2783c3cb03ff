"""Clearing /tmp once the last replica of a function's template has ended.

All replicas of a template share one /tmp, which lies in memory. What a dead one left there would count against the
machine and be in the way of those that come after it, for as long as the template is kept.
"""

import contextlib
import os


def clear(path: str) -> bool:
    """Remove everything below the folder `path`, following no link; what resists is left. Return if there was any.

    No process that could change the tree meanwhile may be left. Function code made it, as deep as it liked: nothing
    here is recursive.
    """
    pending, folders, found = [path], [], False
    while pending:
        folder = pending.pop()
        folders.append(folder)
        with contextlib.suppress(OSError):
            for entry in list(os.scandir(folder)):
                found = True
                if entry.is_dir(follow_symlinks=False):
                    os.chmod(entry.path, 0o700)
                    pending.append(entry.path)
                else:
                    os.unlink(entry.path)
    for folder in reversed(folders[1:]):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return found
