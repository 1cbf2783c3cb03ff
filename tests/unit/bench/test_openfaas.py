"""OpenFaaS's chain is run only with programs that were named and can be run, and with the settings they read."""

from pathlib import Path

import pytest
from bench.openfaas import ChainUnavailable, gateway_environ, programs_given, watchdog_environ


def test_unset_variable_is_named() -> None:
    with pytest.raises(ChainUnavailable, match="OPENFAAS_WATCHDOG is not set"):
        programs_given({})


def test_file_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    paths = [tmp_path / "gateway", tmp_path / "watchdog"]
    paths[0].write_text("")
    paths[1].write_text("")
    paths[1].chmod(0o755)
    with pytest.raises(ChainUnavailable, match=r"OPENFAAS_GATEWAY: .*gateway is no program"):
        programs_given({"OPENFAAS_GATEWAY": str(paths[0]), "OPENFAAS_WATCHDOG": str(paths[1])})


def test_both_programs_are_found(tmp_path: Path) -> None:
    paths = [tmp_path / "gateway", tmp_path / "watchdog"]
    for path in paths:
        path.write_text("")
        path.chmod(0o755)
    environ = {"OPENFAAS_GATEWAY": str(paths[0]), "OPENFAAS_WATCHDOG": str(paths[1])}
    assert programs_given(environ) == (paths[0].resolve(), paths[1].resolve())


def test_the_watchdog_alone_will_do(tmp_path: Path) -> None:
    watchdog = tmp_path / "watchdog"
    watchdog.write_text("")
    watchdog.chmod(0o755)
    assert programs_given({"OPENFAAS_WATCHDOG": str(watchdog)}) == (None, watchdog.resolve())


def test_gateway_asks_our_provider() -> None:
    assert gateway_environ(1234)["functions_provider_url"] == "http://127.0.0.1:1234/"


def test_watchdog_command_survives_being_split_at_single_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.openfaas.rivals_python", lambda: "/rivals/python")
    settings = watchdog_environ(1, 2)
    assert settings["upstream_url"] == "http://127.0.0.1:2"
    program, *arguments = settings["fprocess"].split(" ")
    assert program == "/rivals/python"
    assert arguments == ["-m", "waitress", "--listen=127.0.0.1:2", "flask_app:app"]
