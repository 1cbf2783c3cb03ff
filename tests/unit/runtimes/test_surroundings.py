"""What a function finds around it in its process."""

import os
import sys
from pathlib import Path

import pytest

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, new_replica_id
from dayfly.model.replica import StartOrder
from dayfly.model.runtime import Runtime
from dayfly.runtimes.python.surroundings import surround


@pytest.mark.parametrize(("runtime", "seen"), [("python", True), ("exec", False), ("http", False), ("static", False)])
def test_only_python_functions_modules_can_be_imported(
    runtime: Runtime, seen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What serves a program imports as it goes, and must not get a file of the function's by the same name."""
    for name in ("path", "argv"):
        monkeypatch.setattr(sys, name, list(getattr(sys, name)))
    for name in ("executable", "dont_write_bytecode"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr(os, "environ", {})
    order = StartOrder(
        replica=new_replica_id(), key=FunctionKey(DEFAULT_NAMESPACE, FunctionName("fn")), revision=1, lang="x",
        runtime=runtime, dialect="auto", handler="handler", code_dir=str(tmp_path), layer_dirs=("/layer",),
        timeout_s=60.0,
    )  # fmt: skip
    surround(order)
    assert [folder in sys.path for folder in (str(tmp_path), "/layer")] == [seen, seen]
    assert os.environ["OPENFAAS_NAME"] == "fn"
