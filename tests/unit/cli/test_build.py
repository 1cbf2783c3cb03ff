"""build: what it says, which functions it means, and where images go."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.client.image.making import python_base

from dayfly.client.image.store import image_store
from dayfly.oci.image import load
from dayfly.oci.layout import Layout

Run = Callable[..., Any]

STACK = """\
version: 1.0
provider: {name: openfaas}
functions:
  hello:
    lang: python
    handler: ./hello
    image: registry.example.com/hello:1.0
  api:
    lang: asgi
    handler: ./api
    base: ./other
  made:
    lang: python
    handler: ./hello
    image: made:1
    skip_build: true
"""


@pytest.fixture
def stack(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    for name in ("hello", "api"):
        (home / name).mkdir()
        (home / name / "handler.py").write_text("def handle(event, context): return ''\n")
    (home / "stack.yaml").write_text(STACK)
    python_base(home / "base")
    python_base(home / "other", Env=["WHICH=other"])
    monkeypatch.setenv("DAYFLY_BASE_PYTHON", str(home / "base"))
    return home


def lines(text: str) -> list[str]:
    """What was said, without how long it took."""
    return [line.partition(" in ")[0].partition("time: ")[0] for line in text.splitlines()]


@pytest.mark.usefixtures("stack")
def test_it_builds_a_stack_and_says_what_faas_cli_says(dayfly: Run) -> None:
    outcome = dayfly("build")
    assert outcome.exit_code == 0, outcome.stderr
    assert lines(outcome.stdout) == [
        "Skipping build of: made.",
        "[0] > Building api.",
        "Building: api:latest with asgi template. Please wait..",
        "Image: api:latest built.",
        "[0] < Building api done",
        "[0] > Building hello.",
        "Building: registry.example.com/hello:1.0 with python template. Please wait..",
        "Image: registry.example.com/hello:1.0 built.",
        "[0] < Building hello done",
        "[0] Worker done.",
        "",
        "Total build ",
    ]
    store = image_store()
    assert set(store.names()) == {"docker.io/library/api:latest", "registry.example.com/hello:1.0"}
    api = load(store, store.find("docker.io/library/api:latest").bare)
    assert api.config.run.environment["WHICH"] == "other", "the base that the stack file names, beside it"


@pytest.mark.usefixtures("stack")
def test_options_choose_and_change(dayfly: Run, stack: Path) -> None:
    (stack / "shared").mkdir()
    (stack / "shared" / "words.py").write_text("WORD = 1\n")
    outcome = dayfly(
        "build", "--filter", "he*", "--quiet", "--tag", "digest", "--build-label", "team=mail", "--no-cache",
        "--base", "./other", "--output", "out.tar", "--parallel", "2", "--copy-extra", "shared", "--build-arg", "A=1",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    assert "Building: " not in outcome.stdout
    assert "Wrote 1 image to out.tar" in outcome.stdout
    (name,) = image_store().names()
    assert name.startswith("registry.example.com/hello:")
    assert len(name.rpartition(":")[2]) == 32
    image = load(image_store(), image_store().find(name).bare)
    assert (image.config.run.labels, image.config.run.environment["WHICH"]) == ({"team": "mail"}, "other")
    before = image.manifest.layers[2]
    assert dayfly("build", "--filter", "he*", "--output", "out").exit_code == 0
    out = Layout.open(stack / "out")
    plain = load(out, out.find("registry.example.com/hello:1.0").bare)
    assert plain.manifest.layers[2] != before, "the extra files are code"
    assert plain.manifest.layers[1] == image.manifest.layers[1]


@pytest.mark.usefixtures("stack")
def test_a_folder_needs_no_stack_file(dayfly: Run, stack: Path) -> None:
    (stack / "stack.yaml").unlink()
    outcome = dayfly("build", "--name", "hello", "--handler", "./hello", "--lang", "python", "--image", "team/hello:2")
    assert outcome.exit_code == 0, outcome.stderr
    assert set(image_store().names()) == {"docker.io/team/hello:2"}
    outcome = dayfly("build", "plain", "--handler", "./hello", "--tag", "digest")
    assert outcome.exit_code == 0, outcome.stderr
    (name,) = set(image_store().names()) - {"docker.io/team/hello:2"}
    assert name.startswith("docker.io/library/plain:")
    assert len(name.rpartition(":")[2]) == 32
    assert dayfly("build").exit_code == 64
    assert "There is no stack.yaml" in dayfly("build").stderr


@pytest.mark.usefixtures("stack")
def test_what_is_wrong_is_told_before_anything_is_built(dayfly: Run, stack: Path) -> None:
    for options, why in (
        (["--image", "x:1"], "--image goes with --handler"),
        (["hello", "--name", "api"], "give one of them"),
        (["--handler", "./hello"], "give its NAME"),
        (["--filter", "nothing"], "no functions matching"),
        (["--platforms", "linux"], "linux/amd64"),
        (["--copy-extra", "../x"], "below this folder"),
        (["x", "--handler", "./hello", "--image", "UPPER"], "no image's name"),
        (["--allow-secret", "nonsense:x"], "is no rule"),
        (["x", "--handler", "./hello", "--image", f"x@sha256:{'0' * 64}"], "cannot be"),
        (["hello", "--base", "./nowhere"], "neither an OCI layout"),
    ):
        outcome = dayfly("build", *options)
        assert outcome.exit_code in (64, 66), (options, outcome)
        assert why in outcome.stderr
    assert not image_store().names()
    (stack / "hello" / "key.pem").write_text("secret")
    outcome = dayfly("build", "hello")
    assert outcome.exit_code == 64
    assert "key.pem" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_shrinkwrap_only_lays_out(dayfly: Run, stack: Path) -> None:
    (stack / "build" / "hello").mkdir(parents=True)
    (stack / "build" / "hello" / "old").touch()
    outcome = dayfly("build", "hello", "--shrinkwrap")
    assert outcome.exit_code == 0, outcome.stderr
    assert "hello shrink-wrapped to ./build/hello/" in outcome.stdout
    assert [each.name for each in (stack / "build" / "hello").iterdir()] == ["handler.py"]
    assert not image_store().names()


@pytest.mark.usefixtures("stack")
def test_a_dockerfile_takes_an_engine(dayfly: Run, stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stack / "own").mkdir()
    (stack / "own" / "Dockerfile").write_text("FROM scratch\n")
    folder = stack / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    outcome = dayfly("build", "own", "--handler", "own", "--lang", "dockerfile")
    assert outcome.exit_code == 69
    assert "built by Docker, Podman or buildah, and none answers here" in outcome.stderr
    engine = folder / "buildah"
    engine.write_text('#!/bin/sh\n[ "$1" = info ] || echo "$@" > "$0.told"\n')
    engine.chmod(0o755)
    options = ["--build-label", "a=b", "--no-cache", "--build-arg", "X=1", "--image", "own:1"]
    outcome = dayfly("build", "own", "--handler", "own", "--lang", "dockerfile", *options)
    assert outcome.exit_code == 0, outcome.stderr
    assert "Image: own:1 built." in outcome.stdout
    told = (folder / "buildah.told").read_text()
    assert "build --tag own:1 " in told
    assert "--build-arg X=1 --label a=b --no-cache ." in told
    outcome = dayfly("build", "own", "--handler", "own", "--lang", "dockerfile", "--output", "x.tar")
    assert "built without an engine" in outcome.stderr


def test_the_archive_has_dockers_words_for_it(dayfly: Run, stack: Path) -> None:
    assert dayfly("build", "--output", "all.tar").exit_code == 0
    with tarfile.open(stack / "all.tar") as tar:
        told = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert [each["RepoTags"] for each in told] == [["api:latest"], ["registry.example.com/hello:1.0"]]
