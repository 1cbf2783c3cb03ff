"""nats-server as a child of the supervisor: its configuration is written, then this program becomes it.

    python -P -m dayfly.queue.server NATS_SERVER --store DIR --run DIR --max-store BYTES

It listens on loopback alone, on whatever port is free, for two users with passwords made for this one life; the port
and the passwords are in a file that only this account can read. Its memory is bounded softly: it collects its garbage
sooner when it nears the bound. What it logs goes to standard error, for the supervisor to read.
"""

import argparse
import json
import os
import secrets
import socket
import sys
from pathlib import Path

from dayfly.queue.private_file import write_private

ACCESS, CONFIG = "nats.json", "nats.conf"
_MEMORY = "32MiB"
_MAX_PAYLOAD_BYTES = 16 * 2**20
_CONFIG = """\
server_name: dayfly
listen: "127.0.0.1:{port}"
max_payload: {max_payload}
max_connections: 64
jetstream {{
  store_dir: {store}
  sync_interval: always
  max_memory_store: 1048576
  max_file_store: {max_store}
}}
accounts {{
  CALLS {{ jetstream: enabled, users: [ {{ user: dayfly, password: {password} }} ] }}
  SYSTEM {{ users: [ {{ user: system, password: {system_password} }} ] }}
}}
system_account: SYSTEM
"""


def configure(run_dir: Path, store: Path, max_store_bytes: int) -> Path:
    """Write configuration and access file for a server that is about to start; return where the first is."""
    port = _free_port()
    words = {"password": secrets.token_urlsafe(32), "system_password": secrets.token_urlsafe(32)}
    store.mkdir(mode=0o700, exist_ok=True)
    config = _CONFIG.format(
        port=port,
        max_payload=_MAX_PAYLOAD_BYTES,
        store=json.dumps(str(store)),
        max_store=max_store_bytes,
        **{name: json.dumps(word) for name, word in words.items()},
    )
    write_private(run_dir / CONFIG, config)
    write_private(run_dir / ACCESS, json.dumps({"port": port, "pid": os.getpid(), "store": str(store), **words}))
    return run_dir / CONFIG


def _free_port() -> int:
    # Whoever takes it in the moment between here and there only makes the server start once more, on another.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(argv: list[str]) -> int:
    """Become the server; does not return."""
    parser = argparse.ArgumentParser(prog="dayfly.queue.server")
    parser.add_argument("program")
    for name in ("store", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--max-store", type=int, required=True)
    given = parser.parse_args(argv)
    config = configure(given.run, given.store, given.max_store)
    os.environ |= {"GOMEMLIMIT": _MEMORY, "GOMAXPROCS": "2"}
    os.execv(given.program, [given.program, "-c", str(config)])  # noqa: S606 - a program we looked for, no shell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
