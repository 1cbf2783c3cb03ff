"""Secrets in the real program: what OpenFaaS's clients expect of them, and that no trace of one is left anywhere.

The canaries are planted, used, failed with, rotated and adopted after a crash, at the most talkative log level. Then
every file of the installation, every answer and output, and what its processes show of themselves is searched.
"""

import base64
import contextlib
import http.client
import json
import os
import shutil
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.conftest import end
from tests.system.driver import DEADLINE_S, Platform, Reply, eventually, kill

from dayfly.storage.steps import STEPS

READ = """
import os

def handle(event, context):
    with open(f"/var/openfaas/secrets/{event.text}", "rb") as file:
        return file.read()
"""
USE = """
import hashlib, os
from pathlib import Path

FOLDER = Path(os.environ["DAYFLY_SECRETS"])
SECRETS = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
print("imported with", sorted(SECRETS), flush=True)

def handle(event, context):
    if event.text == "fail":
        raise ValueError("as asked")
    if event.text == "die":
        os._exit(3)
    return hashlib.sha256(b"".join(SECRETS[name] for name in sorted(SECRETS))).hexdigest()
"""
BROKEN = "import pathlib\nSECRET = pathlib.Path('/var/openfaas/secrets/canary-1').read_text()\nraise RuntimeError\n"


class Watched(Platform):
    """A platform that remembers everything it ever said."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.key_file = folder / "keys" / "dayfly.key"
        self.said: list[bytes] = []
        self.places: dict[str, Any] = {}
        """Where it listens; it is asked a hundred times, and that does not change."""
        super().__init__(
            folder / "data",
            {"DAYFLY_SECRETS_KEY_FILE": str(self.key_file), "DAYFLY_LOG_LEVEL": "debug", **environ},
        )

    def connect(self, listener: str = "gateway_url") -> http.client.HTTPConnection:
        self.places = self.places or self.status()
        place = urllib.parse.urlsplit(self.places[listener])
        return http.client.HTTPConnection(place.hostname or "", place.port, timeout=DEADLINE_S)

    def run(self, *arguments: str, **how: Any) -> Any:
        done = super().run(*arguments, **how)
        self.said += [done.out.encode(), done.err.encode()]
        return done

    def ask(self, method: str, path: str, body: bytes | None = None, **how: Any) -> Reply:
        reply = super().ask(method, path, body, **how)
        self.said += [reply.body, str(reply.headers).encode()]
        return reply

    def api(self, method: str, path: str, data: object = None, **how: Any) -> Reply:
        """Ask as the account that started it."""
        token = (self.data_dir / "run" / "token").read_text()
        body = None if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.ask(method, path, body, headers={"Authorization": f"Bearer {token}"}, **how)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder for all of this module, which functions that run as other users can pass."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def platform(place: Path) -> Iterator[Watched]:
    watched = Watched(place)
    try:
        watched.start()
        yield watched
    finally:
        end(watched)


def secret(platform: Watched, method: str, name: str, **fields: str) -> int:
    return platform.api(method, "/system/secrets", {"name": name, **fields}).status


def test_openfaas_clients_create_list_update_and_remove_secrets(platform: Watched) -> None:
    raw = base64.b64encode(b"raw\n").decode()
    assert secret(platform, "POST", "by-value", value="text\n") == 202
    assert secret(platform, "POST", "by-value", value="again") == 409
    assert secret(platform, "POST", "by-raw", value="text", rawValue=raw) == 202
    assert secret(platform, "PUT", "absent", value="x") == 404
    assert secret(platform, "DELETE", "absent") == 404
    listed = platform.api("GET", "/system/secrets?namespace=openfaas-fn")
    assert listed.json() == [{"name": name, "namespace": "openfaas-fn"} for name in ("by-raw", "by-value")]
    deployment = {"service": "reader", "image": "absent", "secrets": ["by-value", "by-raw"]}
    platform.deploy_function(platform.folder / "reader", READ, "--secret", "by-value", "--secret", "by-raw")
    assert platform.ask("POST", "/function/reader", b"by-value").body == b"text\n", "not one byte more or less"
    assert platform.ask("POST", "/function/reader", b"by-raw").body == b"raw\n"
    deployment["image"] = platform.describe("reader")["spec"]["bundle"]
    assert platform.api("GET", "/system/function/reader").json()["secrets"] == ["by-value", "by-raw"]
    assert secret(platform, "PUT", "by-value", value="new") == 200
    assert platform.api("PUT", "/system/functions", deployment).status == 202
    eventually("it is new", lambda: platform.ask("POST", "/function/reader", b"by-value").body == b"new")
    missing = platform.api("PUT", "/system/functions", {**deployment, "secrets": ["absent"]})
    assert missing.status == 400
    assert b"there is no secret absent in the namespace openfaas-fn; create it with" in missing.body
    assert secret(platform, "DELETE", "by-raw") == 202
    assert platform.ask("POST", "/function/reader", b"by-raw").body == b"raw\n", "what runs goes on"
    platform.ok("remove", "reader")


def test_a_secret_that_changes_reaches_what_runs_and_no_call_fails(platform: Watched) -> None:
    platform.ok("secret", "create", "turning", "--from-literal", "one")
    platform.deploy_function(platform.folder / "turner", READ, "--secret", "turning")
    before = platform.describe("turner")
    answers: list[tuple[int, bytes]] = []
    done = threading.Event()
    connection = platform.connect()

    def call() -> None:
        while not done.is_set():
            connection.request("POST", "/function/turner", b"turning")
            answer = connection.getresponse()
            answers.append((answer.status, answer.read()))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        eventually("it is called", lambda: answers)
        assert platform.ok("secret", "update", "turning", stdin="two\n").endswith("Updated: 200 OK\n")
        eventually("it is new", lambda: answers[-1][1] == b"two")
    finally:
        done.set()
        thread.join()
        connection.close()
    assert {status for status, _ in answers} == {200}
    contents = [content for _, content in answers]
    assert contents == sorted(contents), "once it was new it was never old again"
    after = platform.describe("turner")
    assert after["revision"] == before["revision"]
    assert [one["id"] for one in after["replicas"]] != [one["id"] for one in before["replicas"]]
    refused = platform.run("secret", "remove", "turning")
    assert (refused.code, "used by turner" in refused.err) == (73, True)
    platform.ok("remove", "turner")
    platform.ok("secret", "remove", "turning")


def test_no_trace_of_a_secret_is_anywhere(scratch: Path) -> None:
    platform = Watched(scratch)
    canaries = {f"canary-{number}": f"planted-{number}-{os.urandom(9).hex()}" for number in range(1, 6)}
    try:
        platform.start()
        kept = plant_and_use(platform, canaries)
        hits = [*search_answers(platform, canaries), *search_processes(platform, canaries)]
        platform.stop()
        platform.ok("upgrade", "--back-to", str(kept))
        assert list(platform.data_dir.glob("state.db.layout-*")), "a copy of the state was searched too"
        hits += search_files(platform, canaries)
        assert hits == []
    finally:
        end(platform)


def plant_and_use(platform: Watched, canaries: dict[str, str]) -> int:
    """Do everything with secrets that leaves traces; return a layout of the state before there were any."""
    ways: list[Callable[[str, str], object]] = [
        lambda name, text: platform.ok("secret", "create", name, stdin=text),
        lambda name, text: platform.ok("secret", "create", name, "--from-file", _file(platform, text)),
        lambda name, text: secret(platform, "POST", name, value=text),
        lambda name, text: secret(platform, "POST", name, rawValue=base64.b64encode(text.encode()).decode()),
        lambda name, text: platform.api("PUT", f"/v1/namespaces/openfaas-fn/secrets/{name}", text.encode()),
    ]
    for way, (name, text) in zip(ways, canaries.items(), strict=True):
        way(name, text)
    asked = [part for name in canaries for part in ("--secret", name)]
    platform.deploy_function(platform.folder / "user", USE, *asked)
    answer = platform.ask("POST", "/function/user", b"").body
    assert len(answer) == 64
    assert platform.ask("POST", "/function/user", b"fail").status == 500
    assert platform.ask("POST", "/function/user", b"die").status == 502
    # Refusals of all kinds, each with a canary in what is refused.
    text = next(iter(canaries.values()))
    for method, path, data in (
        ("POST", "/system/secrets", {"name": "canary-1", "value": text}),
        ("POST", "/system/secrets", {"name": "../x", "value": text}),
        ("POST", "/system/secrets", {"name": "x", "value": [text]}),
        ("POST", "/system/secrets", {"name": "x", "rawValue": text + "!"}),
        ("PUT", "/system/secrets", {"name": "absent", "value": text}),
        ("PUT", "/v1/namespaces/openfaas-fn/secrets/canary-1?mode=create", text.encode()),
        ("PUT", "/v1/namespaces/openfaas-fn/secrets/absent?mode=update", text.encode()),
        ("DELETE", "/v1/namespaces/openfaas-fn/secrets/canary-1", None),
    ):
        assert 400 <= platform.api(method, path, data).status < 500
    broken = platform.folder / "broken"
    broken.mkdir()
    (broken / "handler.py").write_text(BROKEN)
    assert platform.run("deploy", "broken", "--handler", str(broken), "--secret", "canary-1").code == 1
    platform.ok("secret", "rotate-key")
    platform.ok("secret", "create", "canary-2", "--replace", stdin=canaries["canary-2"])
    kill(platform.pids("control")[0])
    eventually("it is adopted", lambda: platform.run("describe", "user").code == 0)
    platform.ok("secret", "remove", "canary-1", "--force")
    platform.ok("secret", "create", "canary-1", stdin=canaries["canary-1"])
    kill(platform.pids("zygote")[0])
    eventually("it answers", lambda: platform.ask("POST", "/function/user", b"").body == answer)
    for name in ("user", "broken"):
        platform.run("describe", name)
        platform.run("logs", name)
        platform.run("revisions", name)
        platform.api("GET", f"/v1/namespaces/openfaas-fn/functions/{name}")
    for path in ("/system/functions", "/system/secrets", "/v1/namespaces/openfaas-fn/secrets", "/v1/info"):
        platform.api("GET", path)
    platform.api("GET", "/metrics", listener="metrics_url")
    platform.run("secret", "list", "--output", "json")
    return next(number for number, step in enumerate(STEPS) if "TABLE secrets" in step.up)


def search_answers(platform: Watched, canaries: dict[str, str]) -> list[str]:
    assert len(platform.said) > 60
    return [f"said: {said[:200]!r}" for said in platform.said for form in forms(canaries) if form in said]


def search_processes(platform: Watched, canaries: dict[str, str]) -> list[str]:
    """Search what every process shows of itself, and the memory of those that functions begin as a copy of."""
    hits, searched = [], 0
    for process in platform.status()["processes"]:
        folder = Path(f"/proc/{process['pid']}")
        try:
            data = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        if process["role"] in ("supervisor", "zygote", "jail", "egress"):
            data += memory(folder)
            searched += 1
        hits += [f"{process['role']} {process['pid']}" for form in forms(canaries) if form in data]
        if process["role"] == "function":
            core = (folder / "limits").read_text().partition("Max core file size")[2].split()[:2]
            assert core == ["0", "0"]
    assert searched >= 3
    return hits


def memory(process: Path) -> bytes:
    found = []
    with (process / "mem").open("rb") as file:
        for line in (process / "maps").read_text().splitlines():
            where, rights = line.split()[:2]
            start, stop = (int(part, 16) for part in where.split("-"))
            if rights.startswith("rw") and "[v" not in line:
                with contextlib.suppress(OSError):  # it was given back meanwhile
                    file.seek(start)
                    found.append(file.read(stop - start))
    return b"".join(found)


def search_files(platform: Watched, canaries: dict[str, str]) -> list[str]:
    """Search every file of the installation; its own key file holds no secret, and the data folder not that key."""
    files = [path for path in platform.folder.rglob("*") if path.is_file() and path.name != "given"]
    assert {"state.db", "logs.db", "platform.log", "dayfly.key"} <= {path.name for path in files}
    hits = [str(path) for path in files for form in forms(canaries) if form in path.read_bytes()]
    key = platform.key_file.read_text().splitlines()[-1].encode()
    hits += [f"the key: {path}" for path in files if path != platform.key_file and key in path.read_bytes()]
    for path in (Path(folder, name) for folder, _, names in os.walk("/dev/shm") for name in names):
        with contextlib.suppress(OSError):  # of others, who come and go
            content = path.read_bytes()
            hits += [str(path) for form in forms(canaries) if form in content]
    return hits


def forms(canaries: dict[str, str]) -> list[bytes]:
    """Return every canary as it is, and as it may be in base64 or hex at any place of a longer text."""
    found = []
    for text in canaries.values():
        data = text.encode()
        found += [data, data.hex().encode()]
        found += [base64.b64encode(b"x" * at + data)[4:-4] for at in range(3)]
    return found


def _file(platform: Watched, text: str) -> str:
    path = platform.folder / "given"
    path.write_text(text)
    return str(path)


def test_a_lost_key_is_said_and_found_again_without_a_restart(platform: Watched) -> None:
    platform.ok("secret", "create", "locked", stdin="inside")
    platform.deploy_function(platform.folder / "keeper", READ, "--secret", "locked")
    aside = shutil.move(platform.key_file, platform.folder / "aside")
    kill(platform.pids("control")[0])
    eventually("it serves", lambda: platform.api("GET", "/v1/info").status == 200)
    assert platform.ask("POST", "/function/keeper", b"locked").body == b"inside", "what runs is not harmed"
    refused = platform.run("secret", "create", "other", stdin="x")
    assert refused.code == 69
    assert f"the key file {platform.key_file} is not there" in refused.err
    assert "DAYFLY_SECRETS_KEY_FILE" in refused.err
    platform.ok("deploy", "keeper", "--handler", str(platform.folder / "keeper"), "--secret", "locked", "--no-wait")
    eventually("it is told", lambda: "is not there" in platform.describe("keeper")["reason"])
    assert platform.ask("POST", "/function/keeper", b"locked").status == 200, "the revision before goes on"
    shutil.move(aside, platform.key_file)
    platform.ok("secret", "create", "other", stdin="x")
    platform.ok("remove", "keeper")
    for name in ("locked", "other"):
        platform.ok("secret", "remove", name)
