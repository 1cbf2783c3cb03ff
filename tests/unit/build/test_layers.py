"""Layers: the same wishes are installed once, whole or not at all; with real installers and a package made here."""

import asyncio
import base64
import errno
import hashlib
import importlib.util
import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from dayfly.build import layers as layers_module
from dayfly.build import wheels
from dayfly.build.installer import find_uv
from dayfly.build.layers import Layers
from dayfly.build.requirements import parse_requirements
from dayfly.build.wheels import Wheels
from dayfly.model.errors import BuildFailed, StoreUnavailable

WANTED = parse_requirements(b"dayfly-test-package==1.0\n")


class Installer:
    """Stands in for pip: writes a file into the target, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.runs = 0
        self.fails = fails
        self.began = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, argv: list[str], log: Path) -> None:
        self.runs += 1
        self.write(Path(argv[argv.index("--target") + 1]), log)
        self.began.set()
        await self.go.wait()
        if self.fails:
            raise BuildFailed("it did not work")

    def write(self, site: Path, log: Path) -> None:
        log.write_text("working\n")
        (site / "package").mkdir(parents=True)
        (site / "package" / "module.py").write_text("value = 1\n")
        (site / "package" / "module.py").chmod(0o666)


def test_those_who_ask_at_once_wait_for_one_installation(tmp_path: Path) -> None:
    async def main() -> None:
        installer = Installer()
        layers = Layers(tmp_path, Wheels(sys.executable, run=installer), shared=False)
        waiting = [asyncio.create_task(layers.ensure(WANTED)) for _ in range(5)]
        await installer.began.wait()
        waiting[0].cancel()
        installer.go.set()
        found = await asyncio.gather(*waiting[1:])
        assert installer.runs == 1
        assert len(set(found)) == 1
        assert (found[0] / "package" / "module.py").is_file()
        assert await layers.ensure(WANTED) == found[0]
        assert installer.runs == 1

    asyncio.run(main())


def test_a_failure_leaves_the_log_and_no_layer_and_may_be_tried_again(tmp_path: Path) -> None:
    async def main() -> None:
        installer = Installer(fails=True)
        installer.go.set()
        layers = Layers(tmp_path, Wheels(sys.executable, run=installer), shared=False)
        with pytest.raises(BuildFailed, match="did not work"):
            await layers.ensure(WANTED)
        folder = await layers.folder(WANTED)
        assert sorted(path.name for path in folder.iterdir()) == ["install.log", "requirements.txt"]
        assert (folder / "install.log").read_text() == "working\n"
        installer.fails = False
        assert (await layers.ensure(WANTED)).is_dir()

    asyncio.run(main())


@pytest.mark.parametrize(("shared", "folder", "file"), [(True, 0o755, 0o444), (False, 0o700, 0o400)])
def test_modes_let_functions_read_and_nobody_write(tmp_path: Path, shared: bool, folder: int, file: int) -> None:
    async def main() -> Path:
        installer = Installer()
        installer.go.set()
        return await Layers(tmp_path, Wheels(sys.executable, run=installer), shared=shared).ensure(WANTED)

    site = asyncio.run(main())
    assert stat.S_IMODE((site / "package").stat().st_mode) == folder
    assert stat.S_IMODE((site / "package" / "module.py").stat().st_mode) == file


def test_a_layer_that_could_not_be_flushed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(layers_module, "_flush_all", fail)

    async def main() -> None:
        installer = Installer()
        installer.go.set()
        layers = Layers(tmp_path, Wheels(sys.executable, run=installer), shared=False)
        with pytest.raises(StoreUnavailable, match="the disk reports errors"):
            await layers.ensure(WANTED)
        assert {path.name for path in (await layers.folder(WANTED)).iterdir()} == {"install.log", "requirements.txt"}

    asyncio.run(main())


def test_the_address_depends_on_wishes_and_switch_and_on_nothing_else(tmp_path: Path) -> None:
    async def name(text: bytes, *, allow_sdist: bool = False) -> str:
        layers = Layers(tmp_path, Wheels(sys.executable, allow_sdist=allow_sdist), shared=False)
        return (await layers.folder(parse_requirements(text))).name

    async def main() -> None:
        assert await name(b"a\nb\n") == await name(b"# x\nB\na\n")
        assert await name(b"a\n") != await name(b"b\n")
        assert await name(b"a\n") != await name(b"a\n", allow_sdist=True)

    asyncio.run(main())


def test_what_an_earlier_life_left_half_done_is_cleared(tmp_path: Path) -> None:
    async def main() -> None:
        installer = Installer()
        installer.go.set()
        layers = Layers(tmp_path, Wheels(sys.executable, run=installer), shared=False)
        folder = await layers.folder(WANTED)
        (folder / ".site-left" / "x").mkdir(parents=True)
        await layers.ensure(WANTED)
        assert not (folder / ".site-left").exists()

    asyncio.run(main())


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_a_real_installer_installs_a_wheel(tmp_path: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if tool == "pip":
        assert importlib.util.find_spec("pip"), "the environment of the tests has pip"
        monkeypatch.setattr(wheels, "find_uv", lambda _interpreter: None)
    else:
        assert find_uv(sys.executable), "the environment of the tests has uv"
    offline(tmp_path, monkeypatch)
    layers = Layers(tmp_path / "layers", Wheels(sys.executable), shared=False)
    (tmp_path / "layers").mkdir()
    site = asyncio.run(layers.ensure(WANTED))
    assert (site / "dayfly_test_package.py").read_text() == "value = 7\n"
    assert (site.parent / "install.log").read_text() != ""


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_a_real_installer_refuses_a_source_distribution(
    tmp_path: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tool == "pip":
        monkeypatch.setattr(wheels, "find_uv", lambda _interpreter: None)
    offline(tmp_path, monkeypatch)
    (tmp_path / "wheels" / "dayfly_test_package-1.0-py3-none-any.whl").rename(
        tmp_path / "wheels" / "dayfly_test_package-1.0.zip"
    )
    (tmp_path / "layers").mkdir()
    with pytest.raises(BuildFailed, match="dayfly-test-package"):
        asyncio.run(Layers(tmp_path / "layers", Wheels(sys.executable), shared=False).ensure(WANTED))


def offline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the installers see one wheel, made here, and nothing else."""
    wheels = folder / "wheels"
    wheels.mkdir()
    files = {
        "dayfly_test_package.py": b"value = 7\n",
        "dayfly_test_package-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: dayfly-test-package\nVersion: 1.0",
        "dayfly_test_package-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in files.items())
    files["dayfly_test_package-1.0.dist-info/RECORD"] = f"{record}dayfly_test_package-1.0.dist-info/RECORD,,\n".encode()
    with zipfile.ZipFile(wheels / "dayfly_test_package-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
    monkeypatch.setenv("UV_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for prefix in ("PIP", "UV"):
        monkeypatch.setenv(f"{prefix}_FIND_LINKS", str(wheels))


def digest(data: bytes) -> str:
    """Return the hash as a wheel's record writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
