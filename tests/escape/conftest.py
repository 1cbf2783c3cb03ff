"""One running platform for each account and tier, with an attacker, a victim, and targets of every kind around them."""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.system.conftest import end
from tests.system.driver import DEADLINE_S, Platform

HERE = Path(__file__).parent
ATTACKER = (HERE / "attacker" / "handler.py").read_text()
USER = 1001
ENOUGH_MEMORY = "256Mi"


class Stand(msgspec.Struct, frozen=True):
    """An account, and the layers that its kernel refuses."""

    name: str
    tier: str
    user: bool = True
    without: str = ""

    @property
    def prefix(self) -> tuple[str, ...]:
        """What the platform's commands are run by."""
        python = (sys.executable, "-P")
        refuse = (*python, str(HERE / "without.py"), self.without) if self.without else ()
        become = (*python, str(HERE / "as_user.py"), str(USER if self.user else 0)) if os.geteuid() == 0 else ()
        return (*become, *refuse)


STANDS = {
    each.name: each
    for each in (
        Stand("root", "A+", user=False),
        Stand("user", "A"),
        Stand("root-without-namespaces", "B", user=False, without="namespaces"),
        Stand("user-without-namespaces", "B", without="namespaces"),
        Stand("root-without-landlock", "B-", user=False, without="landlock"),
        Stand("user-without-landlock", "B-", without="landlock"),
    )
}

# The lesser tiers take two more minutes: `make test-escape` has them too.
CHOSEN = sorted(STANDS) if os.environ.get("DAYFLY_TEST_ESCAPE") == "full" else ["root", "user"]


class Targets:
    """What lies around on the machine and is none of a function's business."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "canary.txt"
        self.file.write_text("canary")
        self.file.chmod(0o644)
        self.open_folder = folder / "open"
        self.open_folder.mkdir()
        self.open_folder.chmod(0o777)
        self.unix_path = str(folder / "open" / "canary.sock")
        self.abstract = f"@dayfly-canary-{secrets.token_hex(4)}"
        self.visits: list[str] = []
        self._sockets = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        self._sockets[0].bind(self.unix_path)
        Path(self.unix_path).chmod(0o777)
        self._sockets[1].bind("\0" + self.abstract[1:])
        self._tcp = socket.create_server(("0.0.0.0", 0))  # on every address, as a careless service does
        self._sockets.append(self._tcp)
        for listener in self._sockets:
            listener.listen()
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("0.0.0.0", 0))
        threading.Thread(target=self._receive, daemon=True).start()

    @property
    def tcp_port(self) -> int:
        return int(self._tcp.getsockname()[1])

    @property
    def udp_port(self) -> int:
        return int(self._udp.getsockname()[1])

    def close(self) -> None:
        for sock in (*self._sockets, self._udp):
            sock.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.visits.append(str(listener.getsockname()) if listener.fileno() >= 0 else "closed")
            connection.close()

    def _receive(self) -> None:
        while True:
            try:
                self._udp.recv(100)
            except OSError:
                return
            self.visits.append("udp")


class Arena:
    """A platform with its functions; `attempt` has the attacker try something."""

    def __init__(self, stand: Stand, folder: Path) -> None:
        self.stand = stand
        self.folder = folder
        self.targets = Targets(folder)
        home = folder / "home"
        for place in (home, folder / "functions"):
            place.mkdir()
            place.chmod(0o755)
        if stand.user and os.geteuid() == 0:
            os.chown(home, USER, USER)
        self.secret = f"canary-{secrets.token_hex(12)}"
        self.platform = Platform(home / "data", {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}, stand.prefix)

    def start(self) -> None:
        self.platform.start()
        self.port = int(self.platform.status()["gateway_url"].rpartition(":")[2])
        self.deploy("victim", "def handle(event, context):\n    return 'alive'\n", "--env", f"SECRET={self.secret}")
        assert self.ask("victim") == (200, b"alive")
        self.deploy("attacker", ATTACKER, "--memory-limit", ENOUGH_MEMORY)
        status = self.platform.status()
        self.pids = [each["pid"] for each in status["processes"] if each["role"] != "function"]
        self.pids += [each["pid"] for each in status["processes"] if each["role"] == "function"][:1]
        self.pids.append(os.getpid())
        """The processes of the platform, one of its functions' and this one."""
        self.code = {name: self._code_of(name) for name in ("victim", "attacker")}

    def deploy(self, name: str, code: str, *options: str) -> None:
        """Deploy a function."""
        self.platform.deploy_function(self.folder / "functions" / name, code, *options)

    def attempt(self, action: str, *arguments: Any, function: str = "attacker") -> dict[str, Any]:
        """Have the function do something and return what it tells of it."""
        status, body = self.ask(function, json.dumps({"action": action, "args": arguments}).encode())
        assert status == 200, (status, body, self.platform.log())
        told: dict[str, Any] = json.loads(body)
        return told

    def ask(self, function: str, body: bytes = b"") -> tuple[int, bytes]:
        """Call a function."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request("POST", f"/function/{function}", body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _code_of(self, name: str) -> Path:
        digest = str(self.platform.describe(name)["spec"]["bundle"]).removeprefix("sha256:")
        return self.platform.data_dir / "code" / digest

    @property
    def run_dir(self) -> Path:
        return self.platform.data_dir / "run"


@pytest.fixture(scope="module", params=CHOSEN)
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """A running platform of each account and tier."""
    stand = STANDS[request.param]
    if os.geteuid() != 0 and not stand.user:
        pytest.skip("takes root")
    folder = Path(tempfile.mkdtemp(prefix="dayfly-escape-"))
    folder.chmod(0o755)
    made = Arena(stand, folder)
    try:
        made.start()
        yield made
    finally:
        made.targets.close()
        end(made.platform)
        shutil.rmtree(folder)
