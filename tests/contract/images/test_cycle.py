"""From a handler to an image to a function: built without an engine on a base that one saved, run by the platform."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.daemon import BASE, Daemon
from tests.system.conftest import end
from tests.system.driver import Platform

HANDLER = """
def handle(event, context):
    with open("/var/openfaas/secrets/key") as file:
        return f"{context.function} {event.path} {file.read()} {event.text}"
"""


@pytest.fixture
def project(daemon: Daemon) -> Iterator[tuple[Platform, Path]]:
    """A platform with an engine, and a folder for a project."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        engine = f"unix://{daemon.socket}"
        environ = {"DAYFLY_DOCKER_HOST": engine, "DOCKER_HOST": engine, "HOME": name, "XDG_CACHE_HOME": f"{name}/cache"}
        environ["DAYFLY_SECRETS_KEY_FILE"] = f"{name}/secrets.key"
        platform = Platform(scratch / "data", environ)
        try:
            platform.start()
            yield platform, scratch
        finally:
            end(platform)


def test_it_is_built_loaded_deployed_and_called(project: tuple[Platform, Path], daemon: Daemon) -> None:
    platform, scratch = project
    daemon.run("save", "--output", str(scratch / "base.tar"), BASE)
    (scratch / "hello").mkdir()
    (scratch / "hello" / "handler.py").write_text(HANDLER)
    options = ("--handler", "hello", "--image", "dayfly-test/built:1", "--base", "base.tar", "--load")
    said = platform.ok("build", "hello", *options, cwd=scratch)
    assert "Image: dayfly-test/built:1 built." in said
    platform.ok("secret", "create", "key", stdin="s3cret")
    platform.ok("deploy", "hello", "--image", "dayfly-test/built:1", "--secret", "key")
    assert platform.ask("POST", "/function/hello/a/b", b"call").body == b"hello /a/b s3cret call"
    pinned = platform.describe("hello")["pinned_image"]
    # Built again it is the same image to the engine too.
    platform.ok("build", "hello", *options, "--no-cache", cwd=scratch)
    assert daemon.inspect("dayfly-test/built:1")["Id"] == pinned
    assert platform.ok("remove", "hello")
