"""Images: which engine is asked, with which words. The engine here is a script that writes down what it was told."""

import json
import sys
from pathlib import Path

import msgspec
import pytest

from dayfly.client.images import build_image, find_engine
from dayfly.client.template_file import Template
from dayfly.client.templates import find_template
from dayfly.model.errors import BuildFailed, InvalidSpec, NotSupported

ENGINE = f"""#!{sys.executable}
import json, os, sys
if sys.argv[1] == "info":
    sys.exit(os.path.exists(__file__ + ".broken"))
json.dump([os.getcwd(), *sys.argv[1:]], open(__file__ + ".told", "w"))
if "fails" in sys.argv[3]:
    sys.exit("step 2/3: no such file")
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with both engines on it, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "podman"):
        (folder / name).write_text(ENGINE)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def template() -> Template:
    options = {"dev": ("gcc", "make"), "curl": ("curl",)}
    return msgspec.structs.replace(find_template("dockerfile", Path()), build_options=options)


def told(programs: Path, engine: str = "docker") -> list[str]:
    found: list[str] = json.loads((programs / f"{engine}.told").read_text())
    return found


def test_an_engine_builds_the_folder_under_the_images_name(programs: Path, template: Template, tmp_path: Path) -> None:
    build_image(template, tmp_path, "hello:latest", {"B": "2", "A": "x y"})
    arguments = ["--build-arg", "A=x y", "--build-arg", "ADDITIONAL_PACKAGE=", "--build-arg", "B=2"]
    assert told(programs) == [str(tmp_path), "build", "--tag", "hello:latest", *arguments, "."]


def test_options_and_arguments_name_packages_once_and_sorted(
    programs: Path, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    build_image(template, tmp_path, "hello:latest", {"ADDITIONAL_PACKAGE": "make zip"}, ("dev", "curl"))
    assert "ADDITIONAL_PACKAGE=curl gcc make zip" in told(programs)
    assert "http_proxy=http://proxy:3128" in told(programs)


def test_an_option_that_the_template_lacks_is_refused(programs: Path, template: Template, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="no option 'x'; it has curl, dev"):
        build_image(template, tmp_path, "hello:latest", {}, ("x",))
    assert not (programs / "docker.told").exists()


def test_files_are_mounted_and_have_to_be_there(programs: Path, template: Template, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush")
    build_image(template, tmp_path, "hello:latest", {}, secrets={"pip": tmp_path / "token"})
    assert told(programs)[-3:] == ["--secret", f"id=pip,src={tmp_path}/token", "."]
    with pytest.raises(InvalidSpec, match="build_secrets: npm: there is no file"):
        build_image(template, tmp_path, "hello:latest", {}, secrets={"npm": tmp_path / "none"})


def test_the_first_engine_that_answers_is_taken(programs: Path, template: Template, tmp_path: Path) -> None:
    (programs / "docker.broken").touch()
    assert find_engine() == "podman"
    build_image(template, tmp_path, "hello:latest", {})
    assert told(programs, "podman")[1] == "build"
    (programs / "podman").unlink()
    assert find_engine() is None
    with pytest.raises(NotSupported, match="none answers here"):
        build_image(template, tmp_path, "hello:latest", {})


@pytest.mark.usefixtures("programs")
def test_what_the_engine_says_when_it_fails_is_told(template: Template, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="exit code 1:\nstep 2/3: no such file"):
        build_image(template, tmp_path, "fails", {})
