"""npm layers: a real npm, a registry made here, and a real Node that finds what was installed in both of its ways."""

import asyncio
import base64
import hashlib
import http.server
import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dayfly.build.layers import Layers
from dayfly.build.node import Nodes
from dayfly.build.npm import Npm, link_modules, packages_beside
from dayfly.build.package_lock import parse_packages
from dayfly.model.errors import BuildFailed

HERE = [shutil.which("node"), shutil.which("npm")]
pytestmark = pytest.mark.skipif(None in HERE, reason="node or npm is not on PATH: apt-get install nodejs npm")

Files = dict[str, str]


class Registry:
    """A registry on the loopback with packages made here."""

    def __init__(self) -> None:
        self.tarballs: dict[str, bytes] = {}
        self.manifests: dict[str, dict[str, Any]] = {}
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = registry.answer(self.path)
                self.send_response(200 if data else 404)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                return None

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def publish(self, name: str, version: str, files: Files, **fields: Any) -> str:
        """Add a package; return its integrity."""
        manifest = {"name": name, "version": version, **fields}
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for path, text in {"package.json": json.dumps(manifest), **files}.items():
                info = tarfile.TarInfo(f"package/{path}")
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        data = out.getvalue()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        path = f"/{name}/-/{name}-{version}.tgz"
        self.tarballs[path] = data
        dist = {"tarball": self.url.rstrip("/") + path, "integrity": integrity}
        self.manifests.setdefault(name, {})[version] = manifest | {"dist": dist}
        return integrity

    def answer(self, path: str) -> bytes:
        if path in self.tarballs:
            return self.tarballs[path]
        versions = self.manifests.get(path.strip("/"))
        if not versions:
            return b""
        whole = {"name": path.strip("/"), "versions": versions, "dist-tags": {"latest": sorted(versions)[-1]}}
        return json.dumps(whole).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    made = Registry()
    monkeypatch.setenv("npm_config_registry", made.url)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    for name, value in (("ignore_scripts", "false"), ("dangerously_allow_all_scripts", "true")):
        monkeypatch.setenv(f"npm_config_{name}", value)  # as the operator's own settings may say
    try:
        yield made
    finally:
        made.close()


def publish_pair(registry: Registry) -> dict[str, str]:
    """Publish `outer`, which needs `inner`, in CommonJS and as ES modules."""
    inner = registry.publish("inner", "2.1.0", {"index.js": "module.exports = 'inner';\n"})
    outer = registry.publish(
        "outer",
        "1.0.0",
        {"index.js": "exports.said = `outer and ${require('inner')}`;\n"},
        dependencies={"inner": "^2.0.0"},
    )
    return {"inner": inner, "outer": outer}


def lock_of(hashes: dict[str, str]) -> bytes:
    packages = {
        "": {"name": "fn", "dependencies": {"outer": "^1.0.0"}, "devDependencies": {"gone": "1.0.0"}},
        "node_modules/outer": {
            "version": "1.0.0", "integrity": hashes["outer"], "dependencies": {"inner": "^2.0.0"},
            "resolved": "https://elsewhere.example/outer/-/outer-1.0.0.tgz",
        },
        "node_modules/inner": {"version": "2.1.0", "integrity": hashes["inner"]},
        "node_modules/gone": {"version": "1.0.0", "integrity": hashes["inner"], "dev": True},
    }  # fmt: skip
    return json.dumps({"name": "fn", "lockfileVersion": 3, "requires": True, "packages": packages}).encode()


MANIFEST = b'{"name": "fn", "dependencies": {"outer": "^1.0.0"}, "devDependencies": {"gone": "1.0.0"}}'


def install(folder: Path, manifest: bytes, lock: bytes | None) -> Path:
    (folder / "layers").mkdir(exist_ok=True)
    layers = Layers(folder / "layers", Npm(Nodes()), shared=False)
    return asyncio.run(layers.ensure(parse_packages(manifest, lock)))


def run(code: Path, name: str, source: str) -> str:
    (code / name).write_text(source)
    done = subprocess.run([str(HERE[0]), str(code / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("with_lock", [True, False])
def test_both_ways_of_node_find_what_was_installed(tmp_path: Path, registry: Registry, with_lock: bool) -> None:
    hashes = publish_pair(registry)
    site = install(tmp_path, MANIFEST, lock_of(hashes) if with_lock else None)
    assert sorted(path.name for path in (site / "node_modules").iterdir() if path.name[0] != ".") == ["inner", "outer"]
    code = tmp_path / "code"
    code.mkdir()
    link_modules(code, site)
    assert run(code, "a.js", "console.log(require('outer').said)") == "outer and inner"
    assert run(code, "a.mjs", "import o from 'outer'; console.log(o.said)") == "outer and inner"
    assert (site.parent / "install.log").read_text() != ""


def test_a_lock_wins_over_what_is_newest(tmp_path: Path, registry: Registry) -> None:
    hashes = publish_pair(registry)
    registry.publish("inner", "2.2.0", {"index.js": "module.exports = 'newer';\n"})
    site = install(tmp_path, MANIFEST, lock_of(hashes))
    assert json.loads((site / "node_modules/inner/package.json").read_text())["version"] == "2.1.0"


def test_content_that_is_not_what_was_locked_is_refused(tmp_path: Path, registry: Registry) -> None:
    hashes = publish_pair(registry)
    lock = lock_of(hashes | {"inner": "sha512-" + "A" * 86 + "=="})
    with pytest.raises(BuildFailed, match=r"(?s)could not be installed.*EINTEGRITY"):
        install(tmp_path, MANIFEST, lock)


def test_no_script_is_run(tmp_path: Path, registry: Registry) -> None:
    made = tmp_path / "made"
    scripts = {"install": f"touch {made}", "postinstall": f"touch {made}"}
    integrity = registry.publish("scripted", "1.0.0", {"index.js": ""}, scripts=scripts)
    fields = {"dependencies": {"scripted": "1.0.0"}}
    entry = {"version": "1.0.0", "integrity": integrity, "hasInstallScript": True}
    lock = json.dumps({"lockfileVersion": 3, "packages": {"": fields, "node_modules/scripted": entry}}).encode()
    without = {"dayfly": {"withoutScripts": ["scripted"]}, "scripts": {"prepare": f"touch {made}"}}
    site = install(tmp_path, json.dumps(fields | without).encode(), lock)
    assert (site / "node_modules/scripted/index.js").is_file()
    assert not made.exists()


def test_a_script_below_a_package_without_a_lock_is_found_before_it_is_installed(
    tmp_path: Path, registry: Registry
) -> None:
    registry.publish("scripted", "1.0.0", {"index.js": ""}, scripts={"install": "true"}, hasInstallScript=True)
    registry.publish("fair", "1.0.0", {"index.js": ""}, dependencies={"scripted": "^1.0.0"})
    registry.publish("pointing", "1.0.0", {"index.js": ""}, dependencies={"odd": "file:../../odd"})
    with pytest.raises(BuildFailed, match="node_modules/scripted is not taken: it has a script"):
        install(tmp_path, b'{"dependencies": {"fair": "1.0.0"}}', None)
    with pytest.raises(BuildFailed, match="odd"):
        install(tmp_path, b'{"dependencies": {"pointing": "1.0.0"}}', None)


def test_the_address_depends_on_the_wishes_and_on_node(tmp_path: Path) -> None:
    async def name(major: int, manifest: bytes) -> str:
        program = tmp_path / f"{major}" / "node"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho \'["/n","{major}.0.0","{major}"]\'\n')
        program.chmod(0o755)
        layers = Layers(tmp_path, Npm(Nodes(str(program.parent))), shared=False)
        return (await layers.folder(parse_packages(manifest, None))).name

    async def main() -> None:
        assert await name(20, MANIFEST) == await name(20, MANIFEST + b"\n")
        assert await name(20, MANIFEST) != await name(22, MANIFEST)
        assert await name(20, MANIFEST) != await name(20, b'{"dependencies": {"outer": "2"}}')

    asyncio.run(main())


def test_code_that_brings_its_modules_is_left_alone(tmp_path: Path) -> None:
    assert packages_beside(tmp_path) is None
    (tmp_path / "package.json").write_bytes(MANIFEST)
    assert packages_beside(tmp_path) == (MANIFEST, None)
    (tmp_path / "package-lock.json").write_bytes(b"{}")
    assert packages_beside(tmp_path) == (MANIFEST, b"{}")
    link_modules(tmp_path, tmp_path / "site")
    assert packages_beside(tmp_path) == (MANIFEST, b"{}")
    (tmp_path / "node_modules").unlink()
    (tmp_path / "node_modules").mkdir()
    assert packages_beside(tmp_path) is None


def test_an_older_link_gives_way(tmp_path: Path) -> None:
    for site in ("one", "two", "two"):
        link_modules(tmp_path, tmp_path / site)
    assert (tmp_path / "node_modules").readlink() == tmp_path / "two" / "node_modules"
    assert [path.name for path in tmp_path.iterdir()] == ["node_modules"]
