"""What an engine has built, pushed by us: it arrives packed, and is the image that the engine knows."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.contract.registry.real import RealRegistry
from tests.contract.registry.test_registry import skopeo
from tests.engine.daemon import Daemon
from tests.unit.oci.making import tar_of

from dayfly.cli.main import cli


def test_an_image_of_docker_s_is_pushed(
    daemon: Daemon, open_registry: RealRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{daemon.socket}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    name = f"{open_registry.host}/engine/app:1"
    daemon.run("import", "--change", "ENV A=b", "-", name, stdin=tar_of({"large": bytes(1_000_000)}))
    try:
        outcome = CliRunner().invoke(cli, ["push", "--image", name, "--extra-tag", "again"])
        assert outcome.exit_code == 0, outcome.output
        told = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{name}"))
        assert "A=b" in told["Env"]
        manifest = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}"))
        (layer,) = manifest["layers"]
        assert layer["mediaType"].endswith("gzip")
        assert layer["size"] < 100_000
        assert manifest["config"]["digest"] == daemon.run("image", "inspect", "--format", "{{.Id}}", name)
        again = f"docker://{name.rpartition(':')[0]}:again"
        assert json.loads(skopeo("inspect", "--tls-verify=false", again))["Digest"] == told["Digest"]
    finally:
        daemon.run("rmi", name)
