"""Images that were built without an engine, run by one: each way to write a handler, as a stranger would run it.

Read-only but for /tmp, without capabilities and network, as the user that the image says. The base is made of this
machine's own Python and Node.js; all images are handed to the engine as one archive.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine import base
from tests.engine.daemon import Daemon

from dayfly import __version__
from dayfly.client.image.build import How, build_image
from dayfly.client.image.delivery import deliver
from dayfly.client.image.itself import build_itself
from dayfly.client.stack_function import function_in
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    ImageConfig,
    Manifest,
    RootFs,
    RunConfig,
    digest_of,
    encode,
)
from dayfly.oci.platform import this_machine
from dayfly.oci.reference import parse_reference
from dayfly.server.cluster.names import NATS_SERVER

LANGUAGES = Path(__file__).parents[1] / "languages" / "functions"
KINDS = ("python", "python-classic", "python-typed", "asgi", "wsgi", "node")
BOX = ("--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "ALL", "--memory", "256m")
NODE_MODULES = "/usr/share/nodejs"
CALL = """
import http.client, json, socket, sys, time
give_up = time.monotonic() + 90
while time.monotonic() < give_up:
    try:
        socket.create_connection(("127.0.0.1", 8080)).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.02)
answers = []
for method, path, body, headers in json.loads(sys.argv[1]):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
    connection.request(method, path, body.encode(), headers)
    answer = connection.getresponse()
    answers.append([answer.status, answer.read().decode()])
print(json.dumps(answers))
"""


class Container:
    """A container of an image, which is asked from within, as it has no network."""

    def __init__(self, daemon: Daemon, image: str, *options: str) -> None:
        self._daemon = daemon
        self.id = daemon.run("run", "--detach", *BOX, *options, image)

    def ask(self, *requests: tuple[str, str, str, dict[str, str]]) -> list[tuple[int, str]]:
        """Return the answers' statuses and bodies, once it listens."""
        told = self._daemon.run("exec", self.id, "python3", "-c", CALL, json.dumps(requests))
        return [(status, body) for status, body in json.loads(told)]

    def logs(self) -> str:
        """Return what it printed."""
        done = self._daemon.docker("logs", self.id)
        return (done.stdout + done.stderr).decode()

    def stop(self) -> int:
        """Have it end, and return its exit code."""
        self._daemon.run("kill", "--signal", "TERM", self.id)
        code = int(self._daemon.run("wait", self.id))
        self._daemon.run("rm", self.id)
        return code


@pytest.fixture(scope="module")
def images(daemon: Daemon) -> Iterator[dict[str, str]]:
    """An image of each kind in the engine, and their names."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        patch.setenv("XDG_CACHE_HOME", name)
        made = _base(folder / "base")
        store = Layout.create(folder / "store")
        built = {}
        for kind in (*KINDS, "bash", "static"):
            code = LANGUAGES / kind
            if kind == "static":
                code = folder / "site"
                code.mkdir()
                (code / "index.html").write_text("<h1>Hello</h1>")
            if kind == "node" and not shutil.which("node"):
                continue
            one = function_in(code, kind, lang=kind)
            reference = parse_reference(f"dayfly-test/{kind}:1")
            built[str(reference)] = build_image(one.source, one.spec, reference, How(base=str(made)), store)
        itself = parse_reference("dayfly-test/itself:1")
        built[str(itself)] = build_itself(itself, str(made), (), store, say=lambda _: None)
        deliver(store, built, folder / "all.tar")
        daemon.run("load", "--input", str(folder / "all.tar"))
        yield {parse_reference(each).repository.rpartition("/")[2]: each for each in built}
        daemon.docker("rmi", "--force", *built, check=False)


def _base(folder: Path) -> Path:
    has_node = shutil.which("node") is not None
    programs = (*base.PROGRAMS, "bash", "node") if has_node else (*base.PROGRAMS, "bash")
    folders = [NODE_MODULES] if has_node and Path(NODE_MODULES).is_dir() else []
    layout = Layout.create(folder)
    data = base.archive(programs=programs, folders=folders)
    run = RunConfig(env=["PATH=/bin", "PYTHONHOME=/"], user="root", cmd=["sh"])
    config = ImageConfig(
        architecture=this_machine().architecture, os="linux", config=run, rootfs=RootFs(diff_ids=[digest_of(data)])
    )
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=layout.put(encode(config), OCI_CONFIG),
        layers=[layout.put(data, OCI_LAYER)],
    )
    layout.name(layout.put(encode(manifest), OCI_MANIFEST), "base")
    return folder


def command(kind: str, text: str, rest: str = "") -> tuple[str, str, str, dict[str, str]]:
    if kind == "python-typed":
        return "POST", "/", json.dumps({"command": text, "rest": rest}), {"Content-Type": "application/json"}
    return "POST", "/", f"{text}\n{rest}", {"Content-Type": "text/plain"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_of_each_kind_answers_logs_and_drains(daemon: Daemon, images: dict[str, str], kind: str) -> None:
    if kind not in images:
        pytest.skip("there is no Node.js on this machine")
    container = Container(daemon, images[kind], "--env", "SHADE=blue")
    answers = container.ask(
        ("GET", "/_/health", "", {}),
        command(kind, "echo", "Grüße"),
        command(kind, "env SHADE"),
        command(kind, "log", "a word"),
        command(kind, "raise"),
    )
    assert answers[0] == (200, "OK")
    said = [json.loads(body) if kind == "python-typed" else body for _, body in answers[1:3]]
    assert said == ["Grüße", "blue"]
    assert [status for status, _ in answers] == [200, 200, 200, 200, 500]
    assert "told on purpose" not in answers[4][1]
    logs = container.logs()
    assert "to stdout: a word\n" in logs
    assert "to stderr: a word\n" in logs
    assert "told on purpose" in logs
    assert "\x1e" not in logs
    assert container.stop() == 0


def test_a_program_is_run_for_each_call(daemon: Daemon, images: dict[str, str]) -> None:
    container = Container(daemon, images["bash"], "--env", "SHADE=blue")
    answers = container.ask(
        ("GET", "/_/health", "", {}),
        command("bash", "echo", "Grüße"),
        command("bash", "env SHADE"),
        command("bash", "log", "a word"),
        command("bash", "raise"),
    )
    assert [status for status, _ in answers] == [200, 200, 200, 200, 500]
    assert [body for _, body in answers[1:3]] == ["Grüße", "blue"]
    logs = container.logs()
    assert "to stderr: a word\n" in logs
    assert "told on purpose" in logs
    assert container.stop() == 0


def test_files_are_served(daemon: Daemon, images: dict[str, str]) -> None:
    container = Container(daemon, images["static"])
    answers = container.ask(("GET", "/", "", {}), ("GET", "/none", "", {}), ("POST", "/", "x", {}))
    assert answers[0] == (200, "<h1>Hello</h1>")
    assert [status for status, _ in answers] == [200, 404, 405]
    assert container.stop() == 0


def test_nobody_in_particular_runs_it_and_only_tmp_can_be_written(daemon: Daemon, images: dict[str, str]) -> None:
    container = Container(daemon, images["python"])
    container.ask()
    assert daemon.run("exec", container.id, "id", "-u") == "65532"
    script = "open('/tmp/x', 'w').write('x'); open('/home/app/function/x', 'w')"
    assert b"Read-only" in daemon.docker("exec", container.id, "python3", "-c", script, check=False).stderr
    config = daemon.inspect(images["python"])["Config"]
    assert (config["ExposedPorts"], config["User"]) == ({"8080/tcp": {}}, "65532:65532")
    container.stop()


def test_what_cannot_be_loaded_says_why_and_ends(daemon: Daemon, images: dict[str, str]) -> None:
    for options, why in (
        (["--env", "DAYFLY_HANDLER=nowhere"], "there is no module 'nowhere'"),
        (["--env", "exec_timeout=soon"], "exec_timeout"),
    ):
        done = daemon.docker("run", "--rm", *BOX, *options, images["python"], check=False)
        assert done.returncode in (1, 64)
        assert why in done.stderr.decode()


def test_the_platform_itself_is_an_image(daemon: Daemon, images: dict[str, str]) -> None:
    name = images["itself"]
    assert daemon.run("run", "--rm", *BOX, name, "--version") == f"dayfly {__version__}"
    script = ["import os, subprocess, sys, nacl.public, lightkube, dayfly.server.control_process"]
    script += ["subprocess.run(sys.argv[1:], check=True)", "print(os.getuid())"]
    asked = ("-P", "-c", "\n".join(script), NATS_SERVER, "--version")
    told = daemon.run("run", "--rm", *BOX, "--entrypoint", "python3", name, *asked)
    assert told.startswith("nats-server")
    assert told.endswith("65532")
