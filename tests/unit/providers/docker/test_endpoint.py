"""Where an engine is looked for."""

import socket
from pathlib import Path

import pytest

from dayfly.model.errors import ConfigError
from dayfly.providers.docker.endpoint import candidates, first_present, why_none


def test_the_setting_beats_the_variable_and_the_variable_the_usual_places() -> None:
    environ = {"DOCKER_HOST": "unix:///b", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert candidates("unix:///a", environ, uid=7) == ("/a",)
    assert candidates("/a", environ, uid=7) == ("/a",)
    assert candidates("", environ, uid=7) == ("/b",)
    assert candidates("none", environ, uid=7) == ()
    del environ["DOCKER_HOST"]
    own = ("/run/user/7/docker.sock", "/run/user/7/podman/podman.sock")
    assert candidates("", environ, uid=7) == ("/var/run/docker.sock", *own)
    assert candidates("", {}, uid=7) == ("/var/run/docker.sock", *own)
    assert candidates("", {}, uid=0) == ("/var/run/docker.sock", "/run/podman/podman.sock")


def test_an_engine_of_another_machine_is_refused_when_named_and_passed_over_when_it_is_the_environments() -> None:
    with pytest.raises(ConfigError, match="DAYFLY_DOCKER_HOST"):
        candidates("tcp://10.0.0.1:2375", {}, uid=0)
    # Whoever uses Docker elsewhere must still be able to start Dayfly.
    assert candidates("", {"DOCKER_HOST": "ssh://me@there"}, uid=0) == ()
    assert "DOCKER_HOST" in why_none(())


def test_only_a_socket_that_is_there_is_one(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "engine.sock"
    plain.touch()
    paths = (str(plain), str(tmp_path / "missing"), str(path))
    assert first_present(paths) is None
    assert str(path) in why_none(paths)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert first_present(paths) == str(path)
