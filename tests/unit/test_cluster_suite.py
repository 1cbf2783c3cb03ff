"""What `make test-cluster` does where there is no cluster."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_suite_that_needs_a_cluster_and_has_none_fails_in_one_sentence() -> None:
    rule = (ROOT / "Makefile").read_text().partition("\ntest-cluster:")[2].partition("\n\n")[0]
    assert "DAYFLY_TEST_CLUSTER=required" in rule
    environ = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/kubernetes/test_removal.py"]
    for wanted, code in (({"DAYFLY_TEST_CLUSTER": "required"}, 1), ({}, 0)):
        done = subprocess.run(argv, cwd=ROOT, env=environ | wanted, capture_output=True, text=True, timeout=100)
        assert done.returncode == code, done.stdout + done.stderr
        assert ("skipped" in done.stdout) == (not wanted)
        assert "no cluster to test on: set KUBECONFIG" in done.stdout + done.stderr
