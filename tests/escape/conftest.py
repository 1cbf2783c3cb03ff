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
from tests.system.driver import DEADLINE_S, Platform, children_of, eventually

HERE = Path(__file__).parent
ATTACKER = (HERE / "attacker" / "handler.py").read_text()
VICTIM = """
import os

def handle(event, context):
    with open(os.path.join(os.environ["DAYFLY_SECRETS"], "victims")) as file:
        return "alive" if not event.text or file.read() == event.text else "robbed"
"""
VICTIMS_SECRET = "/var/openfaas/secrets/victims"
USER = 1001 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""An account of this worker's own: what one account may have is counted for all of its processes."""
ENOUGH_MEMORY = "256Mi"


def call(action: str, *arguments: Any) -> bytes:
    """Return the body of a call that makes the attacker do something."""
    return json.dumps({"action": action, "args": arguments}).encode()


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


def own_address() -> str:
    """Return an address of this machine that is not loopback, where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


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
        self.hidden = f"canary-{secrets.token_hex(12)}"
        """What is in the victim's secret."""
        self.key_file = home / "keys" / "dayfly.key"
        environ = {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "DAYFLY_SECRETS_KEY_FILE": str(self.key_file)}
        self.platform = Platform(home / "data", environ, stand.prefix)

    def start(self) -> None:
        self.platform.start()
        self.port = int(self.platform.status()["gateway_url"].rpartition(":")[2])
        self.platform.ok("secret", "create", "victims", stdin=self.hidden)
        self.platform.ok("secret", "create", "attackers", stdin="mine")
        self.deploy("victim", VICTIM, "--env", f"SECRET={self.secret}", "--secret", "victims")
        assert self.ask("victim", self.hidden.encode()) == (200, b"alive")
        self.deploy("attacker", ATTACKER, "--memory-limit", ENOUGH_MEMORY, "--secret", "attackers")
        status = self.platform.status()
        self.pids = [each["pid"] for each in status["processes"] if each["role"] != "function"]
        self.pids += [each["pid"] for each in status["processes"] if each["role"] == "function"][:1]
        self.pids.append(os.getpid())
        """The processes of the platform, one of its functions' and this one."""
        everybody = [each["pid"] for each in status["processes"]]
        self.victims = [pid for pid in everybody if Path(f"/proc/{pid}/root", *VICTIMS_SECRET.split("/")).exists()]
        assert self.victims or self.stand.tier == "B"
        self.code = {name: self._code_of(name) for name in ("victim", "attacker")}

    def deploy(self, name: str, code: str, *options: str) -> None:
        """Deploy a function."""
        self.platform.deploy_function(self.folder / "functions" / name, code, *options)

    def attempt(self, action: str, *arguments: Any, function: str = "attacker") -> dict[str, Any]:
        """Have the function do something and return what it tells of it."""
        status, body = self.ask(function, call(action, *arguments))
        told: dict[str, Any] = json.loads(body)
        if status == 502 and told["code"].startswith("function_"):  # the attack has cost it its replica
            return {"outcome": told["code"], "told": told["detail"]}
        assert status == 200, (status, body, self.platform.log())
        return told

    def ask(self, function: str, body: bytes = b"") -> tuple[int, bytes]:
        """Call a function."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request("POST", f"/function/{function}", body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    @contextlib.contextmanager
    def nothing_left(self, what: str) -> Iterator[None]:
        """Wait afterwards until functions have no more processes than before, but for some jails built ahead."""
        (zygote,) = self.platform.pids("zygote")
        before = len(children_of(zygote))
        yield
        eventually(f"{what} are gone", lambda: len(children_of(zygote)) <= before + 2)

    def _code_of(self, name: str) -> Path:
        digest = str(self.platform.describe(name)["spec"]["bundle"]).removeprefix("sha256:")
        return Path(self.of_platform(f"code/{digest}"))

    def of_platform(self, pattern: str) -> str:
        """Return the path of a file or socket in the platform's own folder, which has to be there."""
        found = sorted(self.platform.data_dir.glob(pattern))
        assert found, f"{pattern}: there is nothing of that name to reach for"
        return str(found[0])

    @property
    def victims_secret(self) -> str:
        """Where the victim's secret is, as this machine sees it."""
        link = next(iter(self.run_dir.glob("scratch/*/secrets")), None)
        found = link.resolve().glob("*/victims") if link is not None else ()
        return next((str(path) for path in found), VICTIMS_SECRET)

    @property
    def run_dir(self) -> Path:
        return self.platform.data_dir / "run"

    @property
    def queue_port(self) -> int:
        """Where the server of queued calls listens, on loopback."""
        return int(json.loads(Path(self.of_platform("run/nats.json")).read_bytes())["port"])

    @property
    def victim_socket(self) -> str:
        """The path of the socket on which the victim is called."""
        replicas = self.platform.data_dir / "run" / "r"
        assert self.ask("victim") == (200, b"alive")
        (found,) = [path for path in replicas.glob("*.sock") if path.stem in self._replicas_of("victim")]
        return str(found)

    def _replicas_of(self, name: str) -> list[str]:
        return [str(each["id"]) for each in self.platform.describe(name)["replicas"]]


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
