"""The user's own kubectl, with its own rights: whatever is done to a cluster from a person's machine is done by it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import msgspec

from dayfly.model.errors import ConfigError, DayflyError, Forbidden, NotSupported, Unauthenticated, Unavailable
from dayfly.server.cluster.install.choices import Node
from dayfly.server.cluster.versions import minor_of

MANAGER = "dayfly-install"
"""As whom we apply, to the API's field management."""
TIMEOUT_S = 120.0
_SAID = 600
_LOGGED = re.compile(r"[EWI]\d{4} ")
"""A line that is kubectl's log and not its word."""
_NO_SUCH_KIND = ("doesn't have a resource type", "no matches for kind", "could not find the requested resource")
_LACKS_A_RIGHT = "is forbidden: User"
"""A quota, a Pod Security level and a field that nobody may change are `forbidden` too."""
_AWAY = ("was refused", "no such host", "i/o timeout", "connect:", "Unable to connect", "TLS handshake")


class Versions(msgspec.Struct, frozen=True):
    """Minor versions, such as 36 for 1.36."""

    client: int
    server: int


class Kubectl:
    """One kubectl, and the context it is to use."""

    def __init__(self, program: str, context: str = "") -> None:
        self.program = program
        self._context = ("--context", context) if context else ()

    @classmethod
    def find(cls, context: str = "") -> "Kubectl":
        """Return the one of the PATH. Raises NotSupported when there is none."""
        program = shutil.which("kubectl")
        if program is None:
            raise NotSupported(
                "There is no kubectl on the PATH, and it is what applies things to a cluster with your rights there.",
                hint="Install it, or have `dayfly install --dry-run` print what would be applied.",
            )
        return cls(program, context)

    def argv(self, *arguments: str) -> list[str]:
        """Return the command with these arguments."""
        return [self.program, *self._context, *arguments]

    def run(self, *arguments: str, stdin: bytes = b"", timeout_s: float = TIMEOUT_S) -> str:
        """Run it and return what it printed. Raises Forbidden, Unavailable, ConfigError with what it said."""
        try:
            done = subprocess.run(
                self.argv(*arguments), input=stdin, capture_output=True, timeout=timeout_s, env=dict(os.environ)
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"`kubectl {arguments[0]}` took longer than {timeout_s:g} s.") from None
        except OSError as error:
            raise NotSupported(f"{self.program} could not be run: {error.strerror}.") from error
        if done.returncode:
            raise refusal(arguments[0], done.stderr.decode(errors="replace").strip())
        return done.stdout.decode(errors="replace")

    def versions(self) -> Versions:
        """Return the versions on both sides. Raises Unavailable when the cluster does not answer."""
        told = json.loads(self.run("version", "-o", "json"))
        if "serverVersion" not in told:
            raise Unavailable("kubectl does not reach the cluster.", hint="`kubectl cluster-info` says more.")
        return Versions(minor_of(told["clientVersion"]), minor_of(told["serverVersion"]))

    def find_object(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """Return an object, or None where there is no such object or kind. Raises what `run` raises."""
        where = ("-n", namespace) if namespace else ()
        text = self._or_nothing("get", f"{kind}/{name}", *where, "--ignore-not-found", "-o", "json")
        found: dict[str, Any] | None = json.loads(text) if text.strip() else None
        return found

    def find_objects(self, kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return those of the named objects of a kind without namespaces that are there. Raises what `run` raises."""
        text = self._or_nothing("get", kind, *names, "--ignore-not-found", "-o", "json") if names else ""
        found: dict[str, Any] = json.loads(text) if text.strip() else {"items": []}
        items: list[dict[str, Any]] = found.get("items", [found])  # one that is asked for alone is no list
        return items

    def list_objects(self, kind: str, *where: str) -> list[dict[str, Any]]:
        """Return the objects of a kind, none where there is no such kind; `where` is -n NAME, -A, -l LABEL=VALUE."""
        text = self._or_nothing("get", kind, *where, "-o", "json")
        items: list[dict[str, Any]] = json.loads(text)["items"] if text.strip() else []
        return items

    def apply(self, nodes: Sequence[Node]) -> None:
        """Have the objects be there as they are said, in this order. Raises what `run` raises."""
        told = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(nodes)}).encode()
        # Our tests hold every object against the schemas of each Kubernetes; asking for these costs megabytes a time.
        how = ("--server-side", "--force-conflicts", "--validate=ignore", f"--field-manager={MANAGER}")
        self.run("apply", *how, "-f", "-", stdin=told)

    def delete(self, *what: str, namespace: str = "") -> None:
        """Delete objects and wait until they are gone; what is not there is no error. Raises what `run` raises."""
        where = ("-n", namespace) if namespace else ()
        self._or_nothing("delete", *what, *where, "--ignore-not-found", "--wait")

    def _or_nothing(self, *arguments: str) -> str:
        try:
            return self.run(*arguments)
        except DayflyError as error:
            if any(text in error.message for text in _NO_SUCH_KIND):
                return ""
            raise


def refusal(verb: str, stderr: str) -> DayflyError:
    """Return the error that kubectl's words stand for."""
    said = "\n".join(line for line in stderr.splitlines() if not _LOGGED.match(line))
    message = f"kubectl {verb}: {said[-_SAID:] or 'it failed and said nothing'}"
    if "must be logged in" in said:
        return Unauthenticated(message, hint="The cluster does not know you: look at your kubeconfig.")
    if _LACKS_A_RIGHT in said:
        hint = "Your account in the cluster lacks this right: `kubectl auth can-i --list` shows those that it has."
        return Forbidden(message, hint=hint)
    if any(text in said for text in _AWAY):
        return Unavailable(message, hint="`kubectl cluster-info` tells whether the cluster is there.")
    return ConfigError(message)
