"""Dockerfiles, with a real engine: built where the command is typed, run by the platform, built anew when changed."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.daemon import BASE, Daemon
from tests.system.conftest import end
from tests.system.driver import Platform

HANDLER = "def handle(event, context): return '{} ' + event.text"


@pytest.fixture
def project(daemon: Daemon) -> Iterator[tuple[Platform, Path]]:
    """A platform with an engine, and a folder for a project."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        engine = f"unix://{daemon.socket}"
        platform = Platform(scratch / "data", {"DAYFLY_DOCKER_HOST": engine, "DOCKER_HOST": engine, "HOME": name})
        try:
            platform.start()
            yield platform, scratch
        finally:
            end(platform)


def test_a_dockerfile_is_built_run_and_built_anew(project: tuple[Platform, Path]) -> None:
    platform, scratch = project
    (scratch / "hello").mkdir()
    for word in ("first", "second"):
        text = f'FROM {BASE}\nENV HANDLER="{HANDLER.format(word)}"\nUSER 1000\n'
        (scratch / "hello" / "Dockerfile").write_text(text)
        platform.ok("deploy", "hello", "--handler", "hello", "--lang", "dockerfile", cwd=scratch)
        assert platform.ask("POST", "/function/hello", b"call").body == f"{word} call".encode()
    spec = platform.describe("hello")["spec"]
    assert (spec["runtime"], spec["image"], spec["bundle"]) == ("image", "hello:latest", "")
    (scratch / "hello" / "Dockerfile").write_text(f"FROM {BASE}\nCOPY nothing /nothing\n")
    done = platform.run("deploy", "hello", "--handler", "hello", "--lang", "dockerfile", cwd=scratch)
    assert done.code == 65
    assert "nothing" in done.err, "the engine's own words"
    assert platform.ask("POST", "/function/hello", b"call").body == b"second call"


def test_a_template_that_was_made_for_an_engine_is_built_by_it(project: tuple[Platform, Path]) -> None:
    platform, scratch = project
    template = scratch / "template" / "theirs"
    (template / "function").mkdir(parents=True)
    (template / "template.yml").write_text(
        "language: theirs\nfprocess: python3 index.py\n"
        "build_options: [{name: dev, packages: [make, gcc]}, {name: curl, packages: [curl]}]\n"
    )
    (template / "Dockerfile").write_text(
        f"FROM {BASE}\nARG ADDITIONAL_PACKAGE\nARG WORD\nWORKDIR /home/app\nCOPY . .\n"
        'ENV HANDLER="handle = lambda event, context:'
        " [sorted(__import__('glob').glob('/home/app/**', recursive=True)), '$WORD', '$ADDITIONAL_PACKAGE']\"\n"
        "USER 1000\n"
    )
    (template / "index.txt").write_text("glue")
    (template / "function" / "handler.txt").write_text("starter")
    platform.ok("new", "hello", "--lang", "theirs", cwd=scratch)
    (scratch / "hello" / "more.txt").write_text("more")
    with (scratch / "stack.yaml").open("a") as stack:
        stack.write("    build_args: {WORD: said}\n    build_options: [dev, curl]\n")
    platform.ok("deploy", cwd=scratch)
    files, word, packages = json.loads(platform.ask("POST", "/function/hello", b"").body)
    assert [name.removeprefix("/home/app/") for name in files] == [
        "", "Dockerfile", "function", "function/handler.txt", "function/more.txt", "index.txt", "template.yml",
    ]  # fmt: skip
    assert (word, packages) == ("said", "curl gcc make")
