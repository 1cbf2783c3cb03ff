"""A base from a registry: fetched for its platform, once, and again when that is asked for."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.registry.real import RealRegistry, why_none
from tests.unit.client.image.making import MINOR, python_base
from tests.unit.oci.making import about, put_image, tar_of

from dayfly.client.image.build import How, build_image
from dayfly.client.image.store import image_store
from dayfly.client.stack_function import function_in
from dayfly.model.errors import DayflyError, NotFound
from dayfly.oci.image import load
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_INDEX
from dayfly.oci.platform import this_machine
from dayfly.oci.reference import parse_reference

NAME = parse_reference("registry.example.com/hello:1")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[RealRegistry]:
    if why := why_none():
        pytest.skip(why)
    if not shutil.which("skopeo"):
        pytest.skip("there is no skopeo; scripts/setup.sh installs it where it can")
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = RealRegistry()
    yield made
    made.close()


def push(layout: Layout, name: str, reference: str) -> None:
    argv = ["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", f"oci:{layout.folder}:{name}"]
    subprocess.run([*argv, f"docker://{reference}"], check=True, capture_output=True)


def test_a_base_is_fetched_once_and_asked_for_again_only_when_told(
    registry: RealRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "handler.py").write_text("def handle(event, context): return ''\n")
    one = function_in(tmp_path / "hello", "hello")
    reference = f"{registry.host}/library/python:3"
    store = image_store()

    def build(*, fresh: bool = False) -> dict[str, str]:
        entry = build_image(one.source, one.spec, NAME, How(base=reference, fresh=fresh), store)
        image = load(store, entry.bare)
        assert image.manifest.annotations is not None
        assert image.manifest.annotations["org.opencontainers.image.base.name"] == reference
        return image.config.run.environment

    with pytest.raises(NotFound):
        build()
    layout = python_base(tmp_path / "base", Env=["WHICH=first"])
    here = layout.find("base").bare
    other = put_image(layout, tar_of({"usr/lib/python3.11/os.py": b""}), architecture="s390x", name="")
    record = {"os": "linux", "architecture": this_machine().architecture}
    entries = [about(here, platform=record), about(other, platform={"os": "linux", "architecture": "s390x"})]
    data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    layout.name(layout.put(data, OCI_INDEX), "both")
    push(layout, "both", reference)
    assert build()["WHICH"] == "first"
    assert not store.has(other), "another platform's image is not fetched"
    push(python_base(tmp_path / "next", minor=MINOR, Env=["WHICH=second"]), "base", reference)
    assert build()["WHICH"] == "first"
    assert build(fresh=True)["WHICH"] == "second"
    registry.stop()
    assert build()["WHICH"] == "second"
    with pytest.raises(DayflyError):
        build(fresh=True)
