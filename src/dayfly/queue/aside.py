"""The folder of a queue's server in a cluster: whether its store is one of three, and what one kept alone put aside.

Servers that join agree on what there is without regard to what one of them kept alone, and remove or overwrite that
there (nats-io/nats-server#5467, open). So the first puts its store aside before it starts among others, and `joining`
gives them what is in it.
"""

import logging
import os
import secrets
from pathlib import Path

ALONE = "alone"
"""The folder of the store that was one server's, beside the one of the three."""
STORE = "jetstream"
NAME = "name"
"""The file beside the store that was put aside with a name for it, that no other has."""
_META = "SYSTEM/_js_/_meta_"
_log = logging.getLogger("dayfly.queue")


def is_of_three(data: Path) -> bool:
    """Whether the store in this folder is of a server that has been among others."""
    return (data / STORE / _META).exists()


def put_aside(data: Path) -> None:
    """Have what a server kept alone be out of the way of one that joins others. Idempotent, and never half done."""
    if (data / STORE).exists() and not is_of_three(data):
        (data / ALONE).mkdir(mode=0o700, exist_ok=True)
        (data / ALONE / NAME).write_text(secrets.token_hex(16))
        (data / STORE).rename(data / ALONE / STORE)
        for path in (data / ALONE / NAME, data / ALONE, data):
            _flush(path)
        _log.warning("what this server kept alone is put aside, and given to all three as soon as they agree")


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
