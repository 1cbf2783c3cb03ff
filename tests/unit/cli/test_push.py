"""push and publish: which images are meant, what is said, and what arrives."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.oci.making import about, put_image, tar_of
from tests.unit.oci.registry.double import Double, in_thread

from dayfly.client.image.store import image_store
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_INDEX, OCI_MANIFEST

Run = Callable[..., Any]

STACK = """\
provider: {name: openfaas}
functions:
  hello:
    lang: python
    handler: ./hello
    image: %s/team/hello:1.0
  mail:
    lang: python
    handler: ./hello
    image: %s/team/mail
  made:
    lang: python
    handler: ./hello
    image: made:1
    skip_build: true
  theirs:
    image: theirs:1
"""
LAYERS = [tar_of({"a": b"a"})]
ENGINE = f"""#!{sys.executable}
import os, shutil, sys
if sys.argv[1] == "info":
    sys.exit(0)
here = os.path.dirname(__file__)
open(here + "/told", "a").write(" ".join(sys.argv[1:]) + "\\n")
target = [each for each in sys.argv if each.startswith("--output=")][0].removeprefix("--output=")
if not os.path.exists(here + "/saved.tar"):
    sys.exit("Error response from daemon: reference does not exist")
shutil.copy(here + "/saved.tar", target)
"""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    with in_thread() as double:
        yield double


@pytest.fixture
def stack(home: Path, registry: Double, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("PATH", str(home / "bin"))
    (home / "bin").mkdir()
    (home / "hello").mkdir()
    (home / "hello" / "handler.py").write_text("def handle(event, context): return ''\n")
    (home / "stack.yaml").write_text(STACK % (registry.host, registry.host))
    return home


def tags(registry: Double, wanted: str = "") -> set[str]:
    """The names that images have there."""
    return {tag for each, tag in registry.manifests if wanted in each and not tag.startswith("sha256")} - {"3"}


def engine(stack: Path, name: str = "docker") -> Path:
    path = stack / "bin" / name
    path.write_text(ENGINE)
    path.chmod(0o755)
    return path.with_name("told")


@pytest.mark.usefixtures("stack")
def test_what_was_built_is_pushed_and_said_as_faas_cli_says_it(dayfly: Run, registry: Double) -> None:
    names = [f"{registry.host}/team/hello:1.0", f"{registry.host}/team/mail:latest"]
    images = [put_image(image_store(), *LAYERS, name=name, Env=[f"N={name}"]) for name in names]
    outcome = dayfly("push", "--extra-tag", "more")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.splitlines() == [
        "Skipping made",
        "Skipping theirs",
        f"[0] > Pushing hello [{names[0]}].",
        f"{names[0]}: {images[0].digest}",
        f"{registry.host}/team/hello:more: {images[0].digest}",
        f"[0] < Pushing hello [{names[0]}] done.",
        f"[0] > Pushing mail [{names[1]}].",
        f"{names[1]}: {images[1].digest}",
        f"{registry.host}/team/mail:more: {images[1].digest}",
        f"[0] < Pushing mail [{names[1]}] done.",
        "[0] Worker done.",
    ]
    assert registry.manifests["team/hello", "1.0"] == (OCI_MANIFEST, image_store().read(images[0]))
    assert tags(registry) == {"1.0", "latest", "more"}


@pytest.mark.usefixtures("stack")
def test_one_image_needs_no_stack_file(dayfly: Run, stack: Path, registry: Double) -> None:
    (stack / "stack.yaml").unlink()
    name = f"{registry.host}/team/one:2"
    put_image(image_store(), *LAYERS, name=name)
    outcome = dayfly("push", "--image", name, "--quiet")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.splitlines() == [
        f"[0] > Pushing [{name}].",
        f"[0] < Pushing [{name}] done.",
        "[0] Worker done.",
    ]
    assert ("team/one", "2") in registry.manifests


def test_a_name_without_a_place_is_refused_before_anything_is_sent(dayfly: Run, stack: Path, registry: Double) -> None:
    text = (stack / "stack.yaml").read_text().replace(f"{registry.host}/team/mail", "mail")
    (stack / "stack.yaml").write_text(text)
    outcome = dayfly("push")
    assert outcome.exit_code == 64
    assert "Unable to push one or more of your functions to Docker Hub:" in outcome.stderr
    assert "- mail" in outcome.stderr
    assert (
        "You must provide a username or registry prefix to the Function's image such as user1/function1"
        in outcome.stderr
    )
    assert registry.seen == []
    assert dayfly("push", "--image", "mail:1").exit_code == 64


@pytest.mark.usefixtures("stack")
def test_what_was_not_built_is_told(dayfly: Run, registry: Double) -> None:
    outcome = dayfly("push", "hello")
    assert outcome.exit_code == 66
    assert f"There is no image {registry.host}/team/hello:1.0 on this machine." in outcome.stderr
    assert "dayfly build" in outcome.stderr
    assert registry.seen == []


def test_an_image_of_an_engine_is_pushed(dayfly: Run, stack: Path, registry: Double, tmp_path: Path) -> None:
    from dayfly.client.image.delivery import deliver

    name = f"{registry.host}/team/hello:1.0"
    told = engine(stack)
    assert dayfly("push", "hello").exit_code == 66
    aside = Layout.create(tmp_path / "aside")
    image = put_image(aside, *LAYERS, name=name)
    deliver(aside, {name: image}, stack / "bin" / "saved.tar")
    outcome = dayfly("push", "hello")
    assert outcome.exit_code == 0, outcome.stderr
    assert registry.manifests["team/hello", "1.0"][1] == aside.read(image)
    assert told.read_text().splitlines()[-1].endswith(f"/image.tar {name}")
    assert told.read_text().splitlines()[-1].startswith("save --output=")
    assert not list((stack / "cache" / "dayfly").glob("engine-*"))


@pytest.mark.usefixtures("stack")
def test_a_refusal_of_the_registry_ends_it(dayfly: Run, registry: Double) -> None:
    registry.challenge, registry.authorization = 'Basic realm="x"', "nobody"
    put_image(image_store(), *LAYERS, name=f"{registry.host}/team/hello:1.0")
    outcome = dayfly("push")
    assert outcome.exit_code == 77
    assert f"registry-login --save --server {registry.host}" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_plain_http_to_another_machine_is_refused(dayfly: Run, registry: Double) -> None:
    name = f"0.0.0.0:{registry.port}/team/hello:1"
    put_image(image_store(), *LAYERS, name=name)
    assert dayfly("push", "--image", name).exit_code == 69
    assert registry.manifests == {}
    assert dayfly("push", "--image", name, "--insecure").exit_code == 0


def put_base(registry: Double, folder: Path) -> str:
    """Let the registry have a base for two platforms and return its name."""
    layout = Layout.create(folder)
    images = []
    for architecture in ("amd64", "arm64"):
        python = tar_of({f"usr/local/lib/python3.{sys.version_info.minor}/os.py": architecture.encode()})
        image = put_image(layout, python, name="", architecture=architecture)
        registry.manifests["bases/python", image.digest] = image.media_type, layout.read(image)
        images.append(about(image, platform={"os": "linux", "architecture": architecture}))
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": images}).encode()
    registry.manifests["bases/python", "3"] = OCI_INDEX, index
    for path in (folder / "blobs/sha256").iterdir():
        registry.blobs["bases/python", f"sha256:{path.name}"] = path.read_bytes()
    return f"{registry.host}/bases/python:3"


@pytest.mark.usefixtures("stack")
def test_publish_builds_for_platforms_and_pushes_their_index(dayfly: Run, registry: Double, tmp_path: Path) -> None:
    base = put_base(registry, tmp_path / "base")
    outcome = dayfly("publish", "hello", "--base", base, "--platforms", "linux/amd64,linux/arm64", "--extra-tag", "2")
    assert outcome.exit_code == 0, outcome.stderr
    assert [line for line in outcome.stdout.splitlines() if line.startswith("[0] >")] == [
        "[0] > Building hello.", f"[0] > Pushing hello [{registry.host}/team/hello:1.0]."
    ]  # fmt: skip
    assert registry.manifests["team/hello", "1.0"] == registry.manifests["team/hello", "2"]
    kind, document = registry.manifests["team/hello", "2"]
    assert kind == OCI_INDEX
    images = {each["platform"]["architecture"]: each["digest"] for each in json.loads(document)["manifests"]}
    assert set(images) == {"amd64", "arm64"}
    layers = {
        name: json.loads(registry.manifests["team/hello", digest][1])["layers"] for name, digest in images.items()
    }
    assert layers["amd64"][0] != layers["arm64"][0]
    assert layers["amd64"][2] == layers["arm64"][2], "the code is the same"
    mounted = [each.query["mount"] for each in registry.asked("POST") if each.query.get("from") == "bases/python"]
    assert {layers["amd64"][0]["digest"], layers["arm64"][0]["digest"]} <= set(mounted)


@pytest.mark.parametrize("how", ["sha", "branch", "describe", "digest"])
def test_what_was_built_under_a_tag_is_pushed_under_it(
    dayfly: Run, stack: Path, registry: Double, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + os.defpath)
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    for arguments in (("init", "-q"), ("add", "stack.yaml"), ("commit", "-qm", "one")):
        subprocess.run([*git, *arguments], cwd=stack, check=True)
    base = put_base(registry, stack / "base")
    for command in (("build", "hello", "--base", base), ("push", "hello")):
        outcome = dayfly(*command, "--tag", how)
        assert outcome.exit_code == 0, outcome.stderr
    (tag,) = tags(registry, "team/hello")
    assert re.fullmatch({"digest": "[0-9a-f]{32}", "branch": "1.0-main-[0-9a-f]{7,}"}.get(how, "1.0-[0-9a-f]{7,}"), tag)


def test_publish_of_a_dockerfile_is_for_this_machine(dayfly: Run, stack: Path, registry: Double) -> None:
    engine(stack)
    (stack / "stack.yaml").write_text(
        f"functions:\n  own:\n    lang: dockerfile\n    handler: ./hello\n    image: {registry.host}/own:1\n"
    )
    outcome = dayfly("publish", "--platforms", "linux/amd64,linux/s390x")
    assert outcome.exit_code == 69
    assert "A Dockerfile is built for linux/" in outcome.stderr
    assert registry.seen == []


@pytest.mark.usefixtures("stack")
def test_nothing_leaves_with_a_credential_in_it(dayfly: Run, registry: Double) -> None:
    name = f"{registry.host}/team/hello:1.0"
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    put_image(image_store(), tar_of({"app/config.py": f"TOKEN = '{token}'\n".encode()}), name=name)
    outcome = dayfly("push", "hello")
    assert outcome.exit_code == 64
    assert "app/config.py:1: " in outcome.stderr
    assert token not in outcome.stderr + outcome.stdout
    assert registry.asked("POST") == []
    accepted = [f"--allow-secret={rule}:app/config.py" for rule in ("github-token", "assigned-secret")]
    outcome = dayfly("push", "hello", *accepted)
    assert outcome.exit_code == 0, outcome.stderr
    assert tags(registry) == {"1.0"}


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ((), ["application/vnd.cyclonedx+json"]),
        (("--no-sbom",), []),
        (("--no-sbom", "--sign-key", "release.key"), ["application/vnd.dayfly.signature.v1+json"]),
    ],
)
@pytest.mark.usefixtures("stack")
def test_what_is_in_it_and_who_says_so_go_with_it(
    dayfly: Run, registry: Double, options: tuple[str, ...], kinds: list[str]
) -> None:
    assert dayfly("key", "generate", "release.key").exit_code == 0
    image = put_image(image_store(), *LAYERS, name=f"{registry.host}/team/hello:1.0")
    outcome = dayfly("push", "hello", *options)
    assert outcome.exit_code == 0, outcome.stderr
    listed = registry.manifests.get(("team/hello", image.digest.replace(":", "-")))
    found = json.loads(listed[1])["manifests"] if listed else []
    assert [each["artifactType"] for each in found] == kinds


def test_shrinkwrap_pushes_nothing(dayfly: Run, stack: Path, registry: Double) -> None:
    outcome = dayfly("publish", "hello", "--shrinkwrap", "--reset-qemu")
    assert outcome.exit_code == 0, outcome.stderr
    assert "--reset-qemu is not needed" in outcome.stderr
    assert (stack / "build" / "hello" / "handler.py").exists()
    assert registry.seen == []
