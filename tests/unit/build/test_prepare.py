"""Preparing a revision: code and layer from a bundle, once, with the author's mistakes told."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from tests.unit.build.archives import honest

from dayfly.build.prepare import Prepare
from dayfly.model.errors import BuildFailed, InvalidRequest, InvalidSpec, NotFound, NotSupported
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest

DIGEST = "sha256:" + "1" * 64


class Shelf:
    """Bundles by digest, counted when they are taken."""

    def __init__(self, folder: Path, data: bytes | None) -> None:
        self.taken = 0
        self._file = folder / "bundle"
        if data is not None:
            self._file.write_bytes(data)

    def path(self, digest: BundleDigest) -> Path:
        if not self._file.is_file():
            raise NotFound(f"{digest} is not here")
        self.taken += 1
        return self._file


def prepare(folder: Path, data: bytes | None) -> tuple[Prepare, Shelf]:
    shelf = Shelf(folder, data)
    for name in ("code", "layers"):
        (folder / name).mkdir()
    return Prepare(shelf, folder / "code", folder / "layers", sys.executable), shelf


def spec(bundle: str = DIGEST) -> FunctionSpec:
    return FunctionSpec(name="f", bundle=bundle)


def test_the_code_is_unpacked_once_however_many_ask(tmp_path: Path) -> None:
    prepared, shelf = prepare(tmp_path, honest({"handler.py": b"x = 1\n", "requirements.txt": b"# nothing\n"}))

    async def main() -> None:
        found = await asyncio.gather(*(prepared.prepare(spec()) for _ in range(5)))
        assert {each.code_dir for each in found} == {str(tmp_path / "code" / ("1" * 64))}
        assert found[0].layer_dirs == ()
        assert await prepared.build_log(spec()) == ""

    asyncio.run(main())
    assert shelf.taken == 1
    assert (tmp_path / "code" / ("1" * 64) / "handler.py").read_bytes() == b"x = 1\n"


def test_requirements_become_a_layer_and_its_log_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.build.test_layers import offline

    offline(tmp_path, monkeypatch)
    prepared, _ = prepare(tmp_path, honest({"handler.py": b"", "requirements.txt": b"dayfly-test-package\n"}))

    async def main() -> None:
        (layer,) = (await prepared.prepare(spec())).layer_dirs
        assert (Path(layer) / "dayfly_test_package.py").is_file()
        assert "dayfly-test-package" in await prepared.build_log(spec())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "bundle", "error"),
    [
        (None, DIGEST, NotFound),
        (b"no archive", DIGEST, InvalidRequest),
        (honest({"requirements.txt": b"-e .\n"}), DIGEST, BuildFailed),
        (honest({}), "", InvalidSpec),
    ],
    ids=["nothing", "no archive", "no wheels", "no bundle"],
)
def test_what_cannot_be_prepared_says_so(
    tmp_path: Path, data: bytes | None, bundle: str, error: type[Exception]
) -> None:
    prepared, _ = prepare(tmp_path, data)
    with pytest.raises(error):
        asyncio.run(prepared.prepare(spec(bundle)))


def test_there_is_no_log_of_what_was_never_built(tmp_path: Path) -> None:
    prepared, _ = prepare(tmp_path, None)
    assert asyncio.run(prepared.build_log(spec())) == ""


def test_what_an_earlier_life_left_half_done_is_removed_at_the_start(tmp_path: Path) -> None:
    halves = [tmp_path / "code" / ".new-1234", tmp_path / "layers" / "0123" / ".site-1234"]
    whole = [tmp_path / "code" / "5678", tmp_path / "layers" / "0123" / "site"]
    for folder in (*halves, *whole):
        folder.mkdir(parents=True)
        (folder / "module.py").write_text("x = 1")
    Prepare(Shelf(tmp_path, None), tmp_path / "code", tmp_path / "layers", sys.executable)
    assert [folder.exists() for folder in (*halves, *whole)] == [False, False, True, True]


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on PATH: apt-get install nodejs")
def test_a_function_in_node_is_told_its_interpreter(tmp_path: Path) -> None:
    files = {"handler.js": b"", "package.json": b"{}", "requirements.txt": b"a ../path that nobody looks at"}
    prepared, _ = prepare(tmp_path, honest(files))

    async def main() -> None:
        found = await prepared.prepare(node_spec())
        assert found.layer_dirs == ()
        assert os.access(found.interpreter, os.X_OK)
        assert await prepared.build_log(node_spec()) == ""
        await prepared.check(node_spec())

    asyncio.run(main())


def test_a_function_in_node_is_refused_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    prepared, _ = prepare(tmp_path, honest({"handler.js": b""}))

    async def main() -> None:
        await prepared.check(spec())
        for refused in (prepared.check(node_spec()), prepared.prepare(node_spec())):
            with pytest.raises(NotSupported, match=r"no Node\.js"):
                await refused

    asyncio.run(main())


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on PATH: apt-get install nodejs")
def test_a_package_json_that_is_not_taken_is_told(tmp_path: Path) -> None:
    prepared, _ = prepare(tmp_path, honest({"package.json": b'{"dependencies": {"a": "file:../a"}}'}))
    with pytest.raises(BuildFailed, match=r"dependencies: a@file:\.\./a is not taken"):
        asyncio.run(prepared.prepare(node_spec()))


def node_spec() -> FunctionSpec:
    return FunctionSpec(name="f", bundle=DIGEST, runtime="node", lang="node")
