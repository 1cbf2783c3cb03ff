"""nats-server in a cluster's pod, with passwords from files, which may be others tomorrow.

    python -P -m dayfly.queue.keeper NATS_SERVER --config FILE --credentials DIR --run DIR

Kubernetes replaces the files of a Secret in each pod at a time of its own, within about a minute. So when a password is
another, the server is told to take both for a while (on SIGHUP it reads its configuration anew, without a break): the
new one for the users of always, the one before for users of the same names with `-previous`. Whoever has only one of
both gets in, whichever came first. What is signalled to this program is signalled to the server, and it ends as that
does. Where the log is to be JSON (DAYFLY_LOG_FORMAT), what the server logs is made that on its way.

Only the standard library is imported, and what imports no more: this stands beside the server for as long as that runs.
"""

import argparse
import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from dayfly.queue.joiner import Joiner
from dayfly.queue.private_file import write_private
from dayfly.runtimes.log_event import NATS
from dayfly.runtimes.log_format import log_settings, log_to_stderr
from dayfly.runtimes.scribe import Scribe

USERS, CONFIG = "users.conf", "nats.conf"
PREVIOUS = "-previous"
POLL_S = 5.0
PREVIOUS_S = 600.0
"""How long the password before gets in: ten times as long as Kubernetes takes to bring the new one."""
EXIT_CONFIG = 78
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
KEYS = {"dayfly": "queue-password", "system": "queue-system-password"}
"""The users, and in which file of the credentials each one's password is."""
_log = logging.getLogger("dayfly.queue")


class Passwords:
    """The passwords in force, read from the folder, and for a while those before them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now = self._read()
        self._before: dict[str, str] = {}
        self._until = 0.0

    def look(self, now: float) -> bool:
        """Take in what the files say; return whether the server is to be told of it. `now` is in seconds."""
        found = self._read()
        if all(found.values()) and found != self._now:
            self._before, self._now, self._until = self._now, found, now + PREVIOUS_S
            return True
        if self._before and now >= self._until:
            self._before = {}
            return True
        return False

    @property
    def text(self) -> str:
        """The part of the configuration that has the accounts."""
        calls, system = (self._users(user) for user in KEYS)
        return (
            f"accounts {{\n  CALLS {{ jetstream: enabled, users: [ {calls} ] }}\n"
            f"  SYSTEM {{ users: [ {system} ] }}\n}}\nsystem_account: SYSTEM\n"
        )

    @property
    def now(self) -> dict[str, str]:
        """Those of always, by the names that `access.Access` has for them."""
        return {"password": self._now["dayfly"], "system_password": self._now["system"]}

    def _users(self, user: str) -> str:
        logins = {user: self._now[user]}
        if self._before.get(user, self._now[user]) != self._now[user]:
            logins[user + PREVIOUS] = self._before[user]
        return ", ".join(f"{{ user: {name}, password: {json.dumps(word)} }}" for name, word in logins.items())

    def _read(self) -> dict[str, str]:
        return {user: _word(self._folder / key) for user, key in KEYS.items()}


def listening(config: str, address: str) -> str:
    """Return the configuration for a pod of that address: the server listens to the kind of addresses that it has."""
    return config.replace('"0.0.0.0:', '"[::]:') if ":" in address else config


class Keeper:
    """Runs the server with the configuration of a file, in which `include "users.conf"` stands for the accounts."""

    def __init__(
        self, program: str, config: Path, credentials: Path, run_dir: Path, poll_s: float, scribe: Scribe | None
    ) -> None:
        self._argv = [program, "-c", str(run_dir / CONFIG)]
        self._config = config
        self._run_dir = run_dir
        self._poll_s = poll_s
        self._passwords = Passwords(credentials)
        self._scribe = scribe

    def run(self, environ: Mapping[str, str]) -> int:
        """Run the server to its end; return its code, as a shell would tell it."""
        config = listening(self._config.read_text(), environ.get("POD_IP", ""))
        joiner = Joiner(self._argv[0], config, self._run_dir, environ.get("POD_NAME", ""))
        if joiner.refusal:
            _log.error("%s", joiner.refusal)
            return EXIT_CONFIG
        joiner.put_aside()
        write_private(self._run_dir / CONFIG, config)
        write_private(self._run_dir / USERS, self._passwords.text)
        # Whatever comes before the server is there is held back, and comes then.
        signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
        log_fd = self._scribe.listen(NATS)[1] if self._scribe else 2
        server = subprocess.Popen(self._argv, env=dict(environ), stderr=log_fd, preexec_fn=_unblocked)
        if self._scribe:
            os.close(log_fd)

        def forward(number: int, _frame: FrameType | None) -> None:
            server.send_signal(number)

        for number in _FORWARDED:
            signal.signal(number, forward)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        ended = os.pidfd_open(server.pid)
        joiner.look(self._passwords.now)
        while not self._wait(ended):
            self._look(server)
            joiner.look(self._passwords.now)
        joiner.stop()
        code = server.wait()
        if self._scribe:
            self._scribe.flush()
        return code if code >= 0 else 128 - code

    def _wait(self, ended: int) -> bool:
        """Pass on what the server says until it is time to look again; return whether it has ended."""
        until = time.monotonic() + self._poll_s
        while (left_s := until - time.monotonic()) > 0:
            reads, writes = (self._scribe.reads, self._scribe.writes) if self._scribe else ([], [])
            woken, writable, _ = select.select([ended, *reads], writes, [], left_s)
            if ended in woken:
                return True
            if self._scribe:
                self._scribe.turn(woken + writable)
        return False

    def _look(self, server: "subprocess.Popen[bytes]") -> None:
        if self._passwords.look(time.monotonic()):
            write_private(self._run_dir / USERS, self._passwords.text)
            server.send_signal(signal.SIGHUP)
            if self._scribe:
                self._scribe.flush()  # no line of ours is to be within one of its
            _log.info("changed passwords are taken over")


def _unblocked() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)


def _word(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def main(argv: list[str]) -> int:
    """Run the server; return how it ended."""
    level, form = log_settings(os.environ)
    log_to_stderr("keeper", level, form)
    parser = argparse.ArgumentParser(prog="dayfly.queue.keeper")
    parser.add_argument("program")
    for name in ("config", "credentials", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--poll", type=float, default=POLL_S, help="seconds between two looks at the credentials")
    given = parser.parse_args(argv)
    lacking = [key for key in KEYS.values() if not _word(given.credentials / key)]
    if lacking:
        _log.error("%s of %s is missing, empty or no text: the Secret is damaged", lacking[0], given.credentials)
        return EXIT_CONFIG
    given.run.mkdir(mode=0o700, exist_ok=True)
    scribe = Scribe("keeper", form) if form == "json" else None
    return Keeper(given.program, given.config, given.credentials, given.run, given.poll, scribe).run(os.environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
