"""Functions as images: the same bytes wherever they are built, packed anew only where something changed."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.client.image.making import MINOR, python_base
from tests.unit.oci.making import put_image, tar_of

from dayfly.client.image import build as build_module
from dayfly.client.image import packages
from dayfly.client.image.build import CODE, How, build_image
from dayfly.client.image.server import PACKAGES, RUNTIME, node_server
from dayfly.client.image.store import image_store
from dayfly.client.stack_function import StackFunction, function_in
from dayfly.model.errors import BuildFailed, InvalidRequest, NotSupported
from dayfly.oci.assemble import join
from dayfly.oci.image import Image, load
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor, Index, decode
from dayfly.oci.platform import parse_platforms, this_machine
from dayfly.oci.reference import parse_reference
from dayfly.oci.scan import ALLOWED_LABEL, Allowance

NAME = parse_reference("registry.example.com/team/hello:1")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    python_base(tmp_path / "base", Env=["PATH=/usr/local/bin", "LANG=C"])
    write(tmp_path / "hello")
    return tmp_path


def write(folder: Path, text: str = "def handle(event, context): return 'hello'\n") -> Path:
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    (folder / "handler.py").write_text(text)
    (folder / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "sub" / "run.sh").chmod(0o700)
    return folder


def build(place: Path, one: StackFunction | None = None, **how: Any) -> Descriptor:
    one = one or function_in(place / "hello", "hello")
    given = {"base": str(place / "base"), **how}
    return build_image(one.source, one.spec, NAME, How(**given), image_store())


def image_of(entry: Descriptor) -> Image:
    return load(image_store(), entry.bare)


def names(image: Image, layer: int) -> list[str]:
    store = image_store()
    with tarfile.open(store.path(image.manifest.layers[layer])) as tar:
        return tar.getnames()


def test_it_is_a_base_a_layer_of_what_it_needs_and_one_of_its_code(place: Path) -> None:
    image = image_of(build(place, labels={"team": "mail"}))
    assert len(image.manifest.layers) == 3
    assert names(image, 2) == [CODE, f"{CODE}/handler.py", f"{CODE}/sub", f"{CODE}/sub/run.sh"]
    needed = names(image, 1)
    assert f"{RUNTIME}/dayfly/runtimes/image/__main__.py" in needed
    assert f"{RUNTIME}/msgspec/__init__.py" in needed
    assert not [name for name in needed if "zygote" in name or "sandbox" in name or name.endswith(".pyc")]
    run = image.config.run
    assert run.entrypoint == ["python3", "-P", "-m", "dayfly.runtimes.image"]
    assert (run.user, run.working_dir, run.labels) == ("65532:65532", f"/{CODE}", {"team": "mail"})
    assert run.environment["LANG"] == "C"
    assert run.environment["PYTHONPATH"] == f"/{RUNTIME}:/{PACKAGES}"
    assert image_store().find(str(NAME)).digest == image.descriptor.digest


def test_another_folder_account_time_and_umask_give_the_same_manifest(place: Path) -> None:
    script = (
        "import os, sys; os.umask(int(sys.argv[2], 8));"
        "from pathlib import Path; from tests.unit.client.image import test_build as t;"
        "place = Path(sys.argv[1]); os.environ['XDG_CACHE_HOME'] = str(place / 'cache');"
        "t.python_base(place / 'base', Env=['PATH=/usr/local/bin', 'LANG=C']); t.write(place / 'hello');"
        "os.utime(place / 'hello' / 'handler.py', (5, 5)); print(t.build(place).digest)"
    )
    digests = {build(place).digest}
    for name, umask, seed in (("a", "077", "1"), ("b/c", "002", "2")):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "PYTHONPATH": os.getcwd()}
        argv = [sys.executable, "-c", script, str(place / name), umask]
        digests.add(subprocess.run(argv, capture_output=True, text=True, check=True, env=environ).stdout.strip())
    assert len(digests) == 1


def test_changed_code_leaves_the_other_layers_as_they_are(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = image_of(build(place))
    write(place / "hello", "def handle(event, context): return 'changed'\n")
    monkeypatch.setattr(packages, "install_served", lambda *_: pytest.fail("they are kept"))
    after = image_of(build(place))
    assert after.manifest.layers[:2] == before.manifest.layers[:2]
    assert after.manifest.layers[2] != before.manifest.layers[2]


def test_what_is_asked_for_is_installed_once_for_the_base(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def install(target: packages.Target, text: str, folder: Path) -> None:
        asked.append((target.text, text))
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "thing.py").write_text("x = 1\n")

    monkeypatch.setattr(packages, "install_python", install)
    (place / "hello" / "requirements.txt").write_text("thing==1\n")
    image = image_of(build(place))
    build(place)
    text = f"{this_machine()} glibc python3.{MINOR}"
    assert asked == [(text, "thing==1\n")]
    assert f"{PACKAGES}/sub/thing.py" in names(image, 1)
    build(place, no_cache=True)
    (place / "hello" / "requirements.txt").write_text("thing==2\n")
    build(place)
    assert [each[1] for each in asked] == ["thing==1\n", "thing==1\n", "thing==2\n"]
    (place / "hello" / "requirements.txt").write_text("# nothing\n\n")
    build(place)
    assert len(asked) == 3
    image_store().path(image.manifest.layers[1]).unlink()
    (place / "hello" / "requirements.txt").write_text("thing==1\n")
    build(place)
    assert len(asked) == 4, "a layer that is gone is made again"


def test_several_platforms_are_one_index(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout.create(place / "base")
    files = tar_of({"usr/lib/python3.12/os.py": b""})
    amd, arm = (put_image(layout, files, architecture=each) for each in ("amd64", "arm64"))
    layout.name(join(layout, [amd, arm]), "both")
    installed: list[str] = []

    def install(target: packages.Target, _: object, folder: Path) -> None:
        installed.append(target.text)
        folder.mkdir()

    monkeypatch.setattr(packages, "install_served", install)
    entry = build(place, base=f"{layout.folder}:both", platforms=parse_platforms("linux/amd64,linux/arm64"))
    index = decode(image_store().read(entry), Index, "the index")
    assert [str(each.platform.platform) for each in index.manifests if each.platform] == ["linux/amd64", "linux/arm64"]
    assert sorted(installed) == ["linux/amd64 glibc python3.12", "linux/arm64 glibc python3.12"]


def test_what_is_missing_in_the_base_is_told(place: Path) -> None:
    python_base(place / "old", minor=9)
    with pytest.raises(NotSupported, match=r"The base has Python 3\.9; 3\.11 is the oldest"):
        build(place, base=str(place / "old"))
    python_base(place / "none", minor=0)
    with pytest.raises(NotSupported, match="has no Python"):
        build(place, base=str(place / "none"))
    python_base(place / "node", minor=0, Env=["NODE_VERSION=16.20.0"])
    (place / "js").mkdir()
    (place / "js" / "handler.js").write_text("module.exports = async () => 'hello'\n")
    with pytest.raises(NotSupported, match=r"Node\.js 16"):
        build(place, function_in(place / "js", "js", lang="node"), base=str(place / "node"))
    (place / "rb").mkdir()
    (place / "rb" / "handler.rb").write_text("def run(req) = req\n")
    with pytest.raises(NotSupported, match="ruby functions cannot be made an image here"):
        build(place, function_in(place / "rb", "rb", lang="ruby"))


def test_a_credential_stops_it_and_one_that_is_meant_is_noted(place: Path) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEAtestkeymaterial0123456789\n"
    (place / "hello" / "key.txt").write_text(key)
    with pytest.raises(InvalidRequest, match="private"):
        build(place)
    one = function_in(place / "hello", "hello")
    allowed = (Allowance.parse("private-key:key.txt"),)
    image = image_of(build(place, msgspec.structs.replace(one, allowed=allowed)))
    assert image.config.run.labels == {ALLOWED_LABEL: "private-key:key.txt"}


def test_static_files_programs_and_node_have_their_own_way_to_start(place: Path) -> None:
    (place / "site").mkdir()
    (place / "site" / "index.html").write_text("<h1>hello</h1>")
    site = image_of(build(place, function_in(place / "site", "site", lang="static")))
    assert site.config.run.environment["DAYFLY_RUNTIME"] == "static"
    assert site.manifest.layers[1] == image_of(build(place)).manifest.layers[1], "the server is the same"
    (place / "sh").mkdir()
    (place / "sh" / "handler.sh").write_text("cat\n")
    program = image_of(build(place, function_in(place / "sh", "sh", lang="bash-streaming")))
    told = program.config.run.environment
    assert (told["DAYFLY_RUNTIME"], told["fprocess"]) == ("exec", "bash ./function/handler.sh")
    assert told["mode"] == "streaming"
    assert program.manifest.layers[1] == site.manifest.layers[1]
    (place / "js").mkdir()
    (place / "js" / "handler.js").write_text("module.exports = async () => 'hello'\n")
    (place / "js" / "package.json").write_text(json.dumps({"main": "handler.js"}))
    python_base(place / "node", minor=0)
    node = image_of(build(place, function_in(place / "js", "js", lang="node"), base=str(place / "node")))
    assert node.config.run.entrypoint == ["node", "/opt/dayfly/host/image.cjs"]
    assert "opt/dayfly/host/server.cjs" in names(node, 1)


def test_what_npm_installs_lies_where_the_code_finds_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(_: packages.Target, folder: Path) -> None:
        assert sorted(each.name for each in folder.iterdir()) == ["package-lock.json", "package.json"]
        (folder / "node_modules" / "left").mkdir(parents=True)
        (folder / "node_modules" / "left" / "index.js").write_text("")

    monkeypatch.setattr(packages, "install_node", install)
    (place / "js").mkdir()
    (place / "js" / "handler.js").write_text("module.exports = async () => 'hello'\n")
    (place / "js" / "package.json").write_text('{"dependencies": {"left": "1"}}')
    (place / "js" / "package-lock.json").write_text("{}")
    python_base(place / "node", minor=0)
    one = function_in(place / "js", "js", lang="node")
    assert "home/app/node_modules/left/index.js" in names(image_of(build(place, one, base=str(place / "node"))), 1)
    (place / "js" / "package.json").write_text("{")
    with pytest.raises(BuildFailed, match=r"package\.json"):
        build(place, one, base=str(place / "node"))


def test_the_server_runs_from_the_image_alone(place: Path) -> None:
    """What was left out of it would be found missing by an interpreter that has nothing else."""
    image = image_of(build(place))
    root = place / "root"
    for layer in image.manifest.layers[1:]:
        with tarfile.open(image_store().path(layer)) as tar:
            tar.extractall(root, filter="tar")
    script = (
        f"import sys; sys.path[:0] = ['{root}/{RUNTIME}'];"
        "import dayfly.runtimes.image.serving as main, dayfly, msgspec;"
        "from dayfly.runtimes.image.settings import order_of;"
        "handler = main.load(order_of({}, sys.argv[1], 'here'));"
        "print(handler.kind, dayfly.__file__, msgspec.__file__)"
    )
    argv = [sys.executable, "-I", "-S", "-c", script, str(root / CODE)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=root / CODE)
    assert done.returncode == 0, done.stderr
    kind, *files = done.stdout.split()
    assert kind == "sync"
    assert all(file.startswith(str(root)) for file in files)


def test_the_key_of_a_layer_tells_all_that_it_is_made_of() -> None:
    target = packages.Target(this_machine(), "glibc", 12)
    given: dict[str, Any] = {"target": target, "asked": {"a": b"1"}, "own": (), "served": ("x==1",)}
    key = build_module._key(**given)
    for change in (
        {"target": msgspec.structs.replace(target, python=13)},
        {"target": msgspec.structs.replace(target, libc="musl")},
        {"asked": {"a": b"2"}},
        {"asked": {"b": b"1"}},
        {"served": ("x==2",)},
        {"own": node_server()},
    ):
        assert build_module._key(**{**given, **change}) != key
    assert build_module._key(**given) == key


def test_umoci_unpacks_it(place: Path) -> None:
    if not shutil.which("umoci"):
        pytest.skip("there is no umoci; scripts/setup.sh installs it where it can")
    store = image_store()
    store.name(build(place).bare, "plain")
    argv = ["umoci", "unpack", "--rootless", "--image", f"{store.folder}:plain", str(place / "bundle")]
    subprocess.run(argv, capture_output=True, check=True)
    assert (place / "bundle" / "rootfs" / CODE / "sub" / "run.sh").stat().st_mode & 0o777 == 0o755
