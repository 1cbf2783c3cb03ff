"""Building: what each kind of template makes of a folder, and that nothing is compiled twice."""

import io
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest

from dayfly.client import build_steps, building
from dayfly.client.building import Source, build, is_there
from dayfly.client.template_file import Recipe, Template
from dayfly.client.templates import find_template
from dayfly.model.errors import BuildFailed, InvalidRequest, NotSupported

COMPILER = """
import os, sys
source = open("function/handler.x").read()
with open(os.environ["LEDGER"], "a") as ledger:
    ledger.write(source)
if "error" in source:
    sys.exit("handler.x:1: " + source)
os.mkdir("out")
open("out/program", "w").write(source.upper() + os.environ.get("FLAVOUR", ""))
os.chmod("out/program", 0o755)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A function in a language whose compiler is a few lines of Python."""
    folder = tmp_path / "template" / "x"
    (folder / "function").mkdir(parents=True)
    (folder / "compiler.py").write_text(COMPILER)
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "handler.x").write_text("source")
    recipe = Recipe(
        steps=((sys.executable, "compiler.py"),),
        environment={"LEDGER": str(tmp_path / "ledger")},
        pack={"out/program": "program"},
    )
    template = Template(name="x", folder=folder, runtime="http", recipe=recipe, needs="an x compiler")
    return Source(template=template, folder=tmp_path / "hello")


def members(source: Source) -> dict[str, str]:
    bundle = build(source)
    assert bundle is not None
    with tarfile.open(fileobj=io.BytesIO(bundle.data)) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        return {member.name: archive.extractfile(member).read().decode() for member in files}  # type: ignore[union-attr] # files only


def ledger(source: Source) -> list[str]:
    return (source.folder.parent / "ledger").read_text().split()


def test_only_what_was_made_is_packed(source: Source) -> None:
    assert members(source) == {"program": "SOURCE"}
    assert list((source.folder.parent / "cache" / "dayfly" / "builds").glob("*/")) == []


def test_what_did_not_change_is_not_compiled_again(source: Source) -> None:
    first, said = build(source), list[str]()
    assert build(source, say=said.append) == first
    assert (said, ledger(source)) == ([], ["source"])
    (source.folder / "handler.x").write_text("other")
    assert build(source) != first
    (source.folder / "handler.x").write_text("source")
    assert build(source) == first
    assert (source.folder.parent / "ledger").read_text() == "sourceother"


def test_arguments_of_a_build_are_its_variables_and_make_another_one(source: Source) -> None:
    assert members(msgspec.structs.replace(source, build_args={"FLAVOUR": "!"})) == {"program": "SOURCE!"}
    assert members(source) == {"program": "SOURCE"}


def test_a_compilers_error_is_told_and_nothing_is_kept(source: Source) -> None:
    (source.folder / "handler.x").write_text("error")
    for _ in range(2):
        with pytest.raises(BuildFailed, match=r"exit code 1:\nhandler.x:1: error"):
            build(source)
    assert (source.folder.parent / "ledger").read_text() == "errorerror"


def test_a_build_that_made_nothing_is_told(source: Source) -> None:
    recipe = msgspec.structs.replace(source.template.recipe, pack={"out/nothing": "x", "out/program": "y"})
    lacking = msgspec.structs.replace(source, template=msgspec.structs.replace(source.template, recipe=recipe))
    with pytest.raises(BuildFailed, match="made no out/nothing"):
        build(lacking)


def test_a_missing_toolchain_is_told_before_anything_is_done(source: Source) -> None:
    template = msgspec.structs.replace(source.template, check=("no-such-compiler", "--version"))
    assert (is_there(template), is_there(source.template)) == (False, True)
    with pytest.raises(NotSupported) as caught:
        build(msgspec.structs.replace(source, template=template))
    assert "cannot build x functions" in caught.value.message
    assert "an x compiler" in caught.value.hint
    assert not (source.folder.parent / "cache").exists()


def test_another_toolchain_compiles_again(source: Source) -> None:
    for version in ("1", "2", "1"):
        check = (sys.executable, "-c", f"print({version})")
        build(msgspec.structs.replace(source, template=msgspec.structs.replace(source.template, check=check)))
    assert (source.folder.parent / "ledger").read_text() == "sourcesource"


def test_a_handler_that_runs_as_it_is_is_packed_as_it_is(source: Source) -> None:
    plain = Source(template=find_template("python", Path()), folder=source.folder)
    assert plain.is_plain
    assert members(plain) == {"handler.x": "source"}


def test_scripts_are_packed_with_what_is_around_them(source: Source) -> None:
    scripts = msgspec.structs.replace(source, template=msgspec.structs.replace(source.template, recipe=Recipe()))
    assert members(scripts) == {"compiler.py": COMPILER, "function/handler.x": "source"}


@pytest.mark.parametrize("lang", ["python", "exec", "ruby"])
def test_what_every_function_gets_is_in_it(source: Source, lang: str) -> None:
    (source.folder.parent / "shared.txt").write_text("shared")
    copies = ((source.folder.parent / "shared.txt", "shared.txt"),)
    found = members(Source(template=find_template(lang, Path()), folder=source.folder, copies=copies))
    assert found["function/shared.txt" if lang == "ruby" else "shared.txt"] == "shared"


def test_a_credential_among_the_build_arguments_is_told_before_an_engine_is_asked(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dayfly.client.images.find_engine", lambda: None)
    args = {"NPM_TOKEN": "abc123"}
    image = Source(template=find_template("dockerfile", Path()), folder=source.folder, build_args=args)
    with pytest.raises(InvalidRequest, match="build-arg/NPM_TOKEN"):
        build(image, "hello:latest")


def test_an_image_needs_an_engine(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "find_engine", lambda: None)
    monkeypatch.setattr("dayfly.client.images.find_engine", lambda: None)
    image = Source(template=find_template("dockerfile", Path()), folder=source.folder)
    assert not is_there(image.template)
    with pytest.raises(NotSupported, match="Docker, Podman or buildah") as caught:
        build(image, "hello:latest")
    assert "apt-get install docker.io" in caught.value.hint


def test_checks_run_in_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-race")
    code = "import os; print(os.environ.get('GOFLAGS'))"
    assert build_steps.version_of_program([sys.executable, "-c", code]) == "None"
