"""The file with the key that all others are encrypted with.

It lies outside the data folder, so that a copy of that alone tells nobody a secret. A line is a key of 32 bytes in
base64; lines that begin with # are for people. The first key encrypts; those below it are there while a change of keys
is under way, and only decrypt. The file is replaced as a whole, and is believed only when nobody else can read it.
"""

import base64
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from dayfly.model.errors import SecretsLocked, StoreUnavailable
from dayfly.storage import private_file
from dayfly.storage.medium import disk_failed
from dayfly.storage.secrets.envelopes import Key

_MAX_BYTES = 65_536
_GIVEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_HEAD = """\
# Dayfly: the key of the secrets in {state}.
# Who has both this file and that one can read them. Without this file nobody can: keep a copy, apart from the other's.
"""


class KeyFile:
    """The keys for the secrets in `state`, which is only named in it."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self._state = state

    def read(self) -> list[Key]:
        """Return the keys, the one that encrypts first; none when there is no file.

        Raises SecretsLocked when the file is open to others, is no key file or cannot be read.
        """
        private_file.sweep(self.path)
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SecretsLocked(f"the key file {self.path} cannot be read: {error.strerror}") from error
        try:
            self._check(os.fstat(fd))
            lines = os.read(fd, _MAX_BYTES).split(b"\n")
        except OSError as error:
            raise SecretsLocked(f"the key file {self.path} cannot be read: {error.strerror}") from error
        finally:
            os.close(fd)
        keys = [self._key(number, line.strip()) for number, line in enumerate(lines, 1) if _holds_key(line)]
        if not keys:
            raise SecretsLocked(f"the key file {self.path} holds no key", hint="put it back from your copy of it")
        return keys

    def write(self, keys: Sequence[Key]) -> None:
        """Have the file hold these; they are on the disk when this returns. Raises StoreUnavailable."""
        lines = [base64.b64encode(key.data) + b"\n" for key in keys]
        try:
            private_file.replace(self.path, _HEAD.format(state=self._state).encode() + b"".join(lines))
        except OSError as error:
            raise self._cannot_write(error) from error

    def _check(self, about: os.stat_result) -> None:
        if not stat.S_ISREG(about.st_mode) or about.st_uid not in (0, os.geteuid()):
            raise SecretsLocked(f"the key file {self.path} is not a file of this account, so it is not trusted")
        if about.st_mode & 0o077:
            raise SecretsLocked(
                f"the key file {self.path} can be read by other accounts", hint=f"chmod 600 {self.path}"
            )

    def _key(self, number: int, line: bytes) -> Key:
        try:
            return Key(base64.b64decode(line, validate=True))
        except ValueError:
            raise SecretsLocked(
                f"line {number} of the key file {self.path} is no key, which has 32 bytes in base64",
                hint="put the file back from your copy of it",
            ) from None

    def _cannot_write(self, error: OSError) -> StoreUnavailable:
        failed = disk_failed(f"the key file {self.path} could not be written", error)
        if error.errno in _GIVEN:
            failed.hint = (
                "where the platform is given the file, put a new first line into it (openssl rand -base64 32), leave"
                " the others below, start again, and rotate then"
            )
        return failed


def _holds_key(line: bytes) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(b"#")
