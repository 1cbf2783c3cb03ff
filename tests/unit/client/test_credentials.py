"""Saved logins: private, by gateway, and never shown."""

import stat
from pathlib import Path

import pytest

from dayfly.client.credentials import Credential, CredentialFile, Login
from dayfly.model.errors import ConfigError, InvalidName, InvalidRequest


@pytest.fixture
def file(tmp_path: Path) -> CredentialFile:
    return CredentialFile.default({"HOME": str(tmp_path)})


def test_the_path_follows_xdg() -> None:
    assert CredentialFile.default({"HOME": "/h"}).path == Path("/h/.config/dayfly/credentials.json")
    assert CredentialFile.default({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}).path == Path("/x/dayfly/credentials.json")
    assert CredentialFile.default({"HOME": "/h", "XDG_CONFIG_HOME": "rel"}).path.is_relative_to("/h")


def test_a_login_is_kept_and_forgotten(file: CredentialFile) -> None:
    assert file.find("http://a") is None
    file.save("http://a", "admin", "pw:with:colons")
    file.save("http://b", "admin", "other")
    kept = file.find("http://a")
    assert kept is not None
    assert (kept.credential, kept.own_namespace) == (Credential.basic("admin", "pw:with:colons"), "openfaas-fn")
    assert file.remove("http://a") is True
    assert file.remove("http://a") is False
    assert file.find("http://a") is None
    assert file.find("http://b") is not None


def test_a_login_for_one_namespace_is_kept_with_it(file: CredentialFile) -> None:
    file.save("http://a", "admin", "pw")
    assert "namespace" not in file.path.read_text()
    file.save("http://a", "token", "hush", namespace="team-a")
    kept = file.find("http://a")
    assert kept is not None
    assert kept.own_namespace == "team-a"
    with pytest.raises(InvalidName):
        file.save("http://a", "token", "hush", namespace="Team A")


def test_the_file_is_private_from_the_beginning(file: CredentialFile) -> None:
    file.save("http://a", "admin", "pw")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.path.parent.iterdir()] == ["credentials.json"]


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o601])
def test_an_open_file_is_refused(file: CredentialFile, mode: int) -> None:
    file.save("http://a", "admin", "pw")
    file.path.chmod(mode)
    with pytest.raises(ConfigError, match="other accounts") as caught:
        file.find("http://a")
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("content", ["", "[]", "{", '{"gateways": {"a": 1}}'])
def test_a_damaged_file_is_told(file: CredentialFile, content: str) -> None:
    file.save("http://a", "admin", "pw")
    file.path.write_text(content)
    with pytest.raises(ConfigError, match="not a file of saved logins"):
        file.find("http://a")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        CredentialFile(tmp_path / "file" / "x" / "credentials.json").save("http://a", "admin", "pw")


def test_secrets_are_not_in_repr() -> None:
    assert repr(Credential.bearer("hush-hush")) == "Credential(Bearer …)"
    assert "c2Vj" not in repr(Credential.basic("a", "sec"))
    assert "sec" not in repr(Login(username="a", password="sec"))


@pytest.mark.parametrize(("name", "password"), [("", "x"), ("a", ""), ("a:b", "x")])
def test_logins_that_cannot_be_are_refused(name: str, password: str) -> None:
    with pytest.raises(InvalidRequest):
        Credential.basic(name, password)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ü"])
def test_tokens_that_would_break_a_header_are_refused(token: str) -> None:
    with pytest.raises(InvalidRequest):
        Credential.bearer(token)
