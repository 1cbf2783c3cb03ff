"""Packages for a base: what installers are asked for, what stays of what they leave, and a wheel by the real uv."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from dayfly.client.image import packages
from dayfly.client.image.packages import Target, install_node, install_python, install_served
from dayfly.model.errors import BuildFailed, NotSupported
from dayfly.oci.platform import parse_platform, this_machine

PROGRAM = f"""#!{sys.executable}
import json, os, sys
json.dump([sys.argv[1:], sorted(os.environ)], open(__file__ + ".told", "w"))
if os.path.exists(__file__ + ".fails"):
    print("no such package: thing")
    sys.exit(3)
"""
ARM = Target(parse_platform("linux/arm64"), "musl", 12)


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(PROGRAM)
    (folder / name).chmod(0o755)
    return folder / name


def wheel(folder: Path, tag: str) -> None:
    """Write a wheel of a package with a script, for the platform of this tag."""
    folder.mkdir()
    about = "thing-1.0.dist-info"
    with zipfile.ZipFile(folder / f"thing-1.0-{tag}.whl", "w") as archive:
        archive.writestr("thing.py", "def main(): ...\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        archive.writestr(f"{about}/entry_points.txt", "[console_scripts]\nthing = thing:main\n")
        archive.writestr(f"{about}/RECORD", "")


def test_uv_installs_for_another_platform_and_nothing_of_this_machine_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "wheels", "cp312-cp312-musllinux_1_1_aarch64")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    install_python(ARM, "thing\n", tmp_path / "site")
    found = sorted(path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*"))
    assert "thing.py" in found
    assert not (tmp_path / "site" / "bin").exists()
    assert not [name for name in found if name.endswith(("INSTALLER", "REQUESTED"))]
    record = (tmp_path / "site" / "thing-1.0.dist-info" / "RECORD").read_text()
    assert "bin/" not in record
    assert "INSTALLER" not in record
    assert "thing.py," in record
    assert record.splitlines() == sorted(record.splitlines())
    (tmp_path / "bin").mkdir()
    install_python(ARM, "thing\n", tmp_path / "more", programs=("thing",))
    assert (tmp_path / "bin" / "thing").is_file()
    assert not (tmp_path / "more" / "bin").exists()
    with pytest.raises(BuildFailed, match="could not be installed"):
        install_python(Target(parse_platform("linux/amd64"), "glibc", 12), "thing\n", tmp_path / "other")


def test_without_uv_pip_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = program(tmp_path / "bin", "python")
    monkeypatch.setattr(packages, "_find_uv", lambda: None)
    monkeypatch.setattr(sys, "executable", str(pip))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example.com")
    install_python(ARM, "thing==1\n", tmp_path / "site")
    argv, environ = json.loads((tmp_path / "bin" / "python.told").read_text())
    assert argv[:3] == ["-m", "pip", "install"]
    assert {"--platform=musllinux_1_2_aarch64", "3.12", ":all:", str(tmp_path / "site")} < set(argv)
    assert (tmp_path / "site.txt").read_text() == "thing==1\n"
    assert "PIP_INDEX_URL" in environ
    assert "AWS_SECRET_ACCESS_KEY" not in environ
    (tmp_path / "bin" / "python.fails").touch()
    with pytest.raises(BuildFailed, match=r"\(code 3\):\nno such package: thing"):
        install_python(ARM, "thing==1\n", tmp_path / "site")


def test_a_platform_without_wheels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match=r"linux/s390x; they can for linux/amd64, linux/arm64"):
        install_python(Target(parse_platform("linux/s390x"), "glibc", 12), "thing\n", tmp_path / "site")


def test_what_the_hosts_need_is_copied_only_where_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(packages, "install_python", lambda _, text, __: asked.append(text))
    ours = Target(this_machine(), "glibc", sys.version_info.minor)
    install_served(ours, ["msgspec==1", "httptools==2"], tmp_path / "ours")
    assert (tmp_path / "ours" / "msgspec" / "__init__.py").is_file()
    assert not list((tmp_path / "ours").rglob("__pycache__"))
    assert asked == []
    for other in (ARM, Target(this_machine(), "musl", ours.python), Target(this_machine(), "glibc", 99)):
        install_served(other, ["msgspec==1", "httptools==2"], tmp_path / "other")
    assert asked == ["msgspec==1\nhttptools==2\n"] * 3


def test_npm_is_asked_for_what_the_base_runs_and_for_a_lock_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = program(tmp_path / "bin", "npm")
    monkeypatch.setenv("PATH", str(npm.parent))
    (tmp_path / "code").mkdir()
    asked: list[list[str]] = []
    monkeypatch.setattr(packages, "_run", lambda argv, _: asked.append(argv[1:]))
    install_node(ARM, tmp_path / "code")
    assert [each[:2] for each in asked] == [["install", "--package-lock-only"], ["ci", "--ignore-scripts"]]
    assert {"--omit=dev", "--os=linux", "--cpu=arm64", "--libc=musl"} < set(asked[1])
    (tmp_path / "code" / "package-lock.json").touch()
    install_node(ARM, tmp_path / "code")
    assert len(asked) == 3
    monkeypatch.setenv("PATH", str(tmp_path / "code"))
    with pytest.raises(NotSupported, match="no npm"):
        install_node(ARM, tmp_path / "code")
