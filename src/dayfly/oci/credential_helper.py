"""Programs that keep logins: `docker-credential-NAME get | store | erase`, Docker's protocol for keychains.

A request goes to the program's standard input; `get` answers with JSON. What a program prints may hold what it keeps,
so nothing of it is ever told: an error names the program and what can be tried by hand.
"""

import re
import shutil
import subprocess

import msgspec

from dayfly.model.errors import ConfigError

WAIT_S = 60.0
"""How long a program may take: some ask their user to unlock a keychain."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAX_ANSWER = 65_536
_NONE = b"credentials not found"


class _Kept(msgspec.Struct, frozen=True, rename="pascal"):
    username: str
    secret: str


class Helper(msgspec.Struct, frozen=True):
    """A helper's program, found."""

    program: str

    def get(self, server: str) -> tuple[str, str] | None:
        """Return the name and the secret that are kept for a server, None when there are none. Raises ConfigError."""
        done = self._run("get", server.encode())
        if done.returncode != 0 and _NONE in done.stdout[:_MAX_ANSWER]:
            return None
        try:
            kept = msgspec.json.decode(self._good(done, "get")[:_MAX_ANSWER], type=_Kept)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ConfigError(f"{self.program} get answered something that is no login.", hint=self._hint()) from None
        return (kept.username, kept.secret) if kept.username or kept.secret else None

    def store(self, server: str, username: str, secret: str) -> None:
        """Have a login kept, in place of one that is there. Raises ConfigError."""
        login = {"ServerURL": server, "Username": username, "Secret": secret}
        self._good(self._run("store", msgspec.json.encode(login)), "store")

    def erase(self, server: str) -> None:
        """Have a login forgotten. Raises ConfigError."""
        self._good(self._run("erase", server.encode()), "erase")

    def _run(self, action: str, stdin: bytes) -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run([self.program, action], input=stdin, capture_output=True, timeout=WAIT_S, check=False)
        except OSError as error:
            raise ConfigError(f"{self.program} cannot be run: {error.strerror}.") from None
        except subprocess.TimeoutExpired:
            # Without its cause: that one holds what was said and heard.
            raise ConfigError(f"{self.program} {action} did not end within {WAIT_S:g}s.", hint=self._hint()) from None

    def _good(self, done: "subprocess.CompletedProcess[bytes]", action: str) -> bytes:
        if done.returncode != 0:
            raise ConfigError(f"{self.program} {action} failed with exit code {done.returncode}.", hint=self._hint())
        return done.stdout

    def _hint(self) -> str:
        return f"To see why: echo SERVER | {self.program} get"


def find_helper(name: str) -> Helper:
    """Return the helper of this name. Raises ConfigError when it is no name or its program is not on the PATH."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name[:60]!r} is not the name of a credential helper.")
    found = shutil.which(f"docker-credential-{name}")
    if found is None:
        raise ConfigError(
            f"Logins are kept by docker-credential-{name}, which is not on this machine's PATH.",
            hint="Install it, or take it out of credsStore and credHelpers in Docker's config.json and log in again.",
        )
    return Helper(found)
