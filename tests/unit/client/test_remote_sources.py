"""What a builder is sent: read back as the platform's own builder reads it."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from dayfly.build.context import Context, File, code_of, language_of, read_context, template_of
from dayfly.client.remote_sources import is_plain, write_sources
from dayfly.client.stack import load_stack
from dayfly.client.template_file import Template
from dayfly.client.templates import built_in
from dayfly.model.errors import InvalidRequest, InvalidSpec, NotSupported
from dayfly.oci.sealed import builder_key, unseal
from dayfly.oci.sealing import read_key, seal

TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
PRIVATE = bytes(range(32))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "handler.py").write_text("def handle(event, context): return ''\n")
    return tmp_path


def sent(project: Path, about: str, platforms: tuple[str, ...] = ("linux/amd64",)) -> Context:
    """Return what is sent of the function that a stack file says this of."""
    (project / "stack.yaml").write_text(f"functions: {{hello: {{handler: ./hello, image: team/hello:1, {about}}}}}")
    (one,) = load_stack(project / "stack.yaml", environ={}).functions()
    folder = project / "out"
    folder.mkdir()

    def sealed(values: Mapping[str, bytes]) -> bytes:
        return seal(read_key(builder_key(PRIVATE).public_key.encode()), values)

    return read_context(io.BytesIO(write_sources(one, folder, platforms, sealed).read_bytes()))


@pytest.mark.parametrize(
    "template", [each for each in built_in() if each.runtime != "image"], ids=lambda each: each.name
)
def test_of_our_templates_go_those_that_the_platform_knows_by_name(template: Template) -> None:
    for name in (template.name, *template.also):
        known = template_of({"template.yml": File(f"language: {name}\n".encode())})
        assert (known is not None) == is_plain(template), name


@pytest.mark.parametrize("lang", ["python", "python3-http", "python3-http@1.0", "bash-streaming", "bash", "static"])
def test_the_platform_makes_the_same_of_it_as_of_the_folder(project: Path, lang: str) -> None:
    context = sent(project, f"lang: {lang}")
    assert language_of(context.files) == lang.partition("@")[0]
    template = template_of(context.files)
    assert template is not None
    names = {name.removeprefix("function/") for name in code_of(context.files, template)}
    assert names == {"handler.py"}
    assert (context.wish.image, context.wish.platforms) == ("team/hello:1", ("linux/amd64",))
    assert context.wish.build_args == {"ADDITIONAL_PACKAGE": ""}
    assert context.sealed == b""


def test_a_template_with_a_dockerfile_goes_along(project: Path) -> None:
    own = project / "template" / "python3-http"
    (own / "function").mkdir(parents=True)
    (own / "Dockerfile").write_text("FROM scratch\n")
    (own / "index.py").write_text("import function\n")
    (own / "function" / "requirements.txt").write_text("")
    (own / "template.yml").write_text(
        "language: python3-http\nbuild_options: [{name: dev, packages: [make, gcc]}]\nfprocess: python index.py\n"
    )
    options = "lang: python3-http, build_options: [dev], build_args: {A: b, ADDITIONAL_PACKAGE: curl}"
    context = sent(project, options, ("linux/amd64", "linux/arm64"))
    assert set(context.files) == {
        "Dockerfile", "index.py", "template.yml", "function/handler.py", "function/requirements.txt"
    }  # fmt: skip
    assert context.wish.build_args == {"A": "b", "ADDITIONAL_PACKAGE": "curl gcc make"}
    assert context.wish.platforms == ("linux/amd64", "linux/arm64")


def test_a_dockerfile_of_the_author_is_its_own_context(project: Path) -> None:
    (project / "hello" / "Dockerfile").write_text("FROM scratch\n")
    (project / "hello" / "run").write_text("#!/bin/sh\n")
    (project / "hello" / "run").chmod(0o755)
    context = sent(project, "lang: dockerfile")
    assert set(context.files) == {"Dockerfile", "handler.py", "run"}
    assert [name for name, file in context.files.items() if file.is_executable] == ["run"]


def test_nothing_leaves_with_a_credential_in_it(project: Path) -> None:
    (project / "hello" / "config.txt").write_text(f"{TOKEN}\n")
    with pytest.raises(InvalidRequest, match=r"config.txt:1: .*github-token") as refused:
        sent(project, "lang: python")
    assert TOKEN not in str(refused.value)


def test_a_credential_in_an_argument_does_not_leave(project: Path) -> None:
    with pytest.raises(InvalidRequest, match="build-arg/A"):
        sent(project, f"lang: python, build_args: {{A: {TOKEN}}}")


@pytest.mark.parametrize(
    "accepts",
    [
        "annotations: {com.dayfly.allowed-secrets: 'github-token:config.txt'}",
        "build_args: {DAYFLY_ALLOW_SECRET: 'github-token:function/config.txt github-token:config.txt'}",
    ],
)
def test_what_is_accepted_here_is_accepted_there(project: Path, accepts: str) -> None:
    (project / "hello" / "config.txt").write_text(f"{TOKEN}\n")
    args = sent(project, f"lang: python, {accepts}").wish.build_args or {}
    assert args["DAYFLY_ALLOW_SECRET"] == "github-token:config.txt"


def test_build_secrets_are_sealed(project: Path) -> None:
    (project / "token").write_bytes(b"hush")
    context = sent(project, "lang: python, build_secrets: {pip: ./token}")
    assert b"hush" not in context.sealed
    assert unseal(PRIVATE, context.sealed) == {"pip": b"hush"}


def test_a_build_secret_that_is_not_there_is_told(project: Path) -> None:
    with pytest.raises(InvalidSpec, match="build_secrets: pip"):
        sent(project, "lang: python, build_secrets: {pip: ./none}")


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ("lang: go", "go functions are made on this machine"),
        ("lang: ruby", "no Dockerfile"),
        ("lang: python, entrypoint: 'app:main'", "entrypoint"),
        ("lang: python, dialect: asgi", "dialect"),
    ],
)
def test_what_a_builder_could_not_know_is_refused(project: Path, about: str, told: str) -> None:
    with pytest.raises(NotSupported, match=told):
        sent(project, about)


def test_the_same_folder_gives_the_same_bytes(project: Path) -> None:
    (project / "stack.yaml").write_text("functions: {hello: {handler: ./hello, lang: python, image: a:1}}")
    (one,) = load_stack(project / "stack.yaml", environ={}).functions()
    made = []
    for name in ("a", "b"):
        (project / name).mkdir()
        made.append(write_sources(one, project / name, (), lambda _: b"").read_bytes())
    assert made[0] == made[1]
