"""A port of this machine that leads to the gateways in a cluster, kept open by the user's own kubectl."""

import base64
import subprocess
from types import TracebackType
from typing import NoReturn, Self

from dayfly.cli.terminal import warn
from dayfly.model.errors import Forbidden, NotFound, NotSupported, Unavailable
from dayfly.server.cluster.install.kubectl import Kubectl, refusal
from dayfly.server.cluster.names import ADMIN_PASSWORD, ADMIN_SECRET, GATEWAY

_READY, _USED = "Forwarding from ", "Handling connection"
_ENDS_IN_S = 10.0


class Forwarding:
    """One open port; `url` leads to the platform while the block lasts."""

    def __init__(self, namespace: str, context: str, port: int) -> None:
        self.kubectl = Kubectl.find(context)
        self.url = ""
        self._namespace = namespace
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Open it. Raises NotFound, NotSupported, and what kubectl's refusals raise."""
        deployment = self.kubectl.find_object("deployment", GATEWAY, self._namespace)
        if deployment is None:
            raise NotFound(f"There is no installation in the namespace {self._namespace}.", hint="dayfly install")
        if deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["scheme"] == "HTTPS":
            raise NotSupported(
                "The gateways show a certificate, which is not for an address of this machine.",
                hint="Log in at the host that it is for: dayfly login --gateway https://HOST.",
            )
        where = ("port-forward", "--namespace", self._namespace, "--address", "127.0.0.1", f"service/{GATEWAY}")
        argv = self.kubectl.argv(*where, f"{self._port or ''}:http")
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said.startswith(_READY):
            rest = self._process.stdout.read()
            self._close()
            raise refusal("port-forward", said + rest)
        self.url = f"http://{said.removeprefix(_READY).split(' ')[0]}"
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Close it."""
        self._close()

    def _close(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.terminate()
        try:
            self._process.wait(_ENDS_IN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def hold(self) -> NoReturn:
        """Keep it open. Raises Unavailable when the cluster closes it."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.startswith((_READY, _USED)):
                warn(line.rstrip())
        raise Unavailable("The connection to the cluster has ended.", hint="Run dayfly login --kubernetes again.")


def password_in(kubectl: Kubectl, namespace: str) -> str | None:
    """Return the administrator's password; None, and a word about it, when the account may not read it."""
    try:
        secret = kubectl.find_object("secret", ADMIN_SECRET, namespace)
    except Forbidden:
        warn(f"Your account in the cluster may not read the Secret {ADMIN_SECRET}; give a password or a token.")
        return None
    if secret is None or ADMIN_PASSWORD not in secret.get("data", {}):
        raise NotFound(f"There is no password in the Secret {ADMIN_SECRET} of {namespace}.", hint="dayfly install")
    return base64.b64decode(secret["data"][ADMIN_PASSWORD]).decode()
