"""The parts of the Node host, by Node's own test runner: `node --test` on the files beside this one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

from dayfly.runtimes.node.program import HOST_DIR

NODE = shutil.which("node")
HERE = Path(__file__).parent


@pytest.mark.skipif(NODE is None, reason="there is no node on PATH: apt-get install nodejs")
@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.cjs")), ids=lambda path: path.name)
def test_the_part_does_what_its_tests_say(path: Path, tmp_path: Path) -> None:
    assert NODE is not None
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("secure.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    environment = {
        "HOST": HOST_DIR,
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "SERVER_PEM": str(tmp_path / "server.pem"),
        "NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem"),
    }
    done = subprocess.run([NODE, str(path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout or "ℹ fail 0" in done.stdout, done.stdout
    assert "# pass 0" not in done.stdout
