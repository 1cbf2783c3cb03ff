"""Logins at registries: found as the tools keep them, and never told to anybody else."""

import base64
import json
import os
import tempfile
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import ConfigError
from dayfly.oci import credential_helper
from dayfly.oci.credential_helper import Helper
from dayfly.oci.credentials import HUB_SERVER, Login, files, login_for, server_name
from dayfly.oci.reference import parse_reference

HELPER = """#!/bin/sh
set -eu
kept="{folder}/$(basename "$0")"
case $1 in
    get)
        read -r server || true
        echo "$server" >>"$kept.asked"
        [ -e "$kept.json" ] || {{ echo "credentials not found in native keychain"; exit 1; }}
        cat "$kept.json"
        ;;
    store) cat >"$kept.json" ;;
    erase) rm "$kept.json" ;;
esac
"""


class Machine:
    """An account with files of logins, and programs that keep some."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"HOME": str(folder / "home"), "DOCKER_CONFIG": str(folder / "docker")}
        self.write(folder / "docker/config.json", {})

    def write(self, path: Path, content: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def config(self, **content: Any) -> None:
        self.write(self.folder / "docker/config.json", content)

    def helper(self, name: str, program: str = HELPER, **kept: str) -> Path:
        """Put a helper's program on the PATH, and a login into it."""
        path = self.folder / "bin" / f"docker-credential-{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(program.format(folder=self.folder))
        path.chmod(0o755)
        if kept:
            self.write(self.folder / f"{path.name}.json", kept)
        return path

    def asked(self, name: str) -> list[str]:
        return (self.folder / f"docker-credential-{name}.asked").read_text().split()

    def find(self, image: str) -> Login | None:
        return login_for(parse_reference(image), self.environ)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Machine(tmp_path)


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v1/", "https://ghcr.io/v2/", "ghcr.io/"]
)
def test_a_login_is_found_by_its_registry(machine: Machine, key: str) -> None:
    machine.config(auths={"other.io": auth("a:b"), key: auth("me:pass:word")})
    assert machine.find("ghcr.io/team/app") == Login("me", "pass:word")
    assert machine.find("ghcr.io.evil.example/team/app") is None
    assert machine.find("team/app") is None


@pytest.mark.parametrize("key", [HUB_SERVER, "docker.io", "index.docker.io", "https://index.docker.io/v2/"])
def test_docker_hub_has_several_names(machine: Machine, key: str) -> None:
    machine.config(auths={key: auth("me:secret")})
    for image in ("python", "team/app:1", "docker.io/team/app", "index.docker.io/team/app"):
        assert machine.find(image) == Login("me", "secret")


def test_the_login_that_covers_most_of_a_repository_counts(machine: Machine) -> None:
    machine.config(auths={"quay.io": auth("all:1"), "quay.io/team": auth("team:2"), "quay.io/team/app": auth("app:3")})
    found = {image: machine.find(f"quay.io/{image}") for image in ("other", "teams/app", "team/other", "team/app")}
    assert {image: login.username for image, login in found.items() if login} == {
        "other": "all", "teams/app": "all", "team/other": "team", "team/app": "app"
    }  # fmt: skip


def test_files_are_asked_in_their_order(machine: Machine) -> None:
    for variable, name in (("REGISTRY_AUTH_FILE", "named.json"), ("XDG_RUNTIME_DIR", "run")):
        machine.environ[variable] = str(machine.folder / name)
    paths = files(machine.environ)
    assert [str(path.relative_to(machine.folder)) for path in paths] == [
        "docker/config.json", "named.json", "run/containers/auth.json", "home/.config/containers/auth.json"
    ]  # fmt: skip
    for path in reversed(paths):
        machine.write(path, {"auths": {"ghcr.io": auth(f"{path.name}:x")}})
        found = machine.find("ghcr.io/a")
        assert found is not None
        assert found.username == path.name
    del machine.environ["DOCKER_CONFIG"]
    assert files(machine.environ)[0] == machine.folder / "home/.docker/config.json"


def test_identity_tokens_and_what_podman_and_old_tools_write(machine: Machine) -> None:
    machine.config(auths={"a.io": {"identitytoken": "long", "auth": auth("me:ignored")["auth"]}})
    assert machine.find("a.io/x") == Login(identity_token="long")
    machine.config(auths={"a.io": {"username": "me", "password": "plain"}})
    assert machine.find("a.io/x") == Login("me", "plain")


@pytest.mark.parametrize(
    "entry",
    [{}, None, "x", {"auth": "###"}, {"auth": ""}, {"auth": base64.b64encode(b"\xff\xfe").decode()}, auth(":x")],
)
def test_what_is_no_login_is_none(machine: Machine, entry: Any) -> None:
    machine.config(auths={"a.io": entry})
    assert machine.find("a.io/x") is None


@pytest.mark.parametrize("content", [{"auths": []}, {"auths": None, "credHelpers": [], "credsStore": 3}, "", "  "])
def test_what_holds_nothing_is_passed_over(machine: Machine, content: Any) -> None:
    machine.write(machine.folder / "docker/config.json", content)
    assert machine.find("a.io/x") is None


def test_a_damaged_file_is_named_and_not_quoted(machine: Machine) -> None:
    machine.write(machine.folder / "docker/config.json", '{"auths": {"a.io": {"auth": "c2VjcmV0"}')
    with pytest.raises(ConfigError, match=r"docker/config\.json, where logins are kept, is not JSON") as caught:
        machine.find("a.io/x")
    assert "c2VjcmV0" not in "".join(traceback.format_exception(caught.value))


def test_a_store_keeps_what_the_file_does_not(machine: Machine) -> None:
    machine.config(auths={"a.io": auth("file:1"), "b.io": {}}, credsStore="vault")
    machine.helper("vault", Username="vault", Secret="2")
    assert machine.find("a.io/x") == Login("file", "1")
    assert machine.find("b.io/x") == Login("vault", "2")
    assert machine.find("python") == Login("vault", "2")
    assert machine.asked("vault") == ["b.io", HUB_SERVER]


def test_a_registry_s_own_helper_comes_first(machine: Machine) -> None:
    machine.config(
        auths={"a.io": auth("file:1")}, credsStore="vault", credHelpers={"a.io": "cloud", "docker.io": "cloud"}
    )
    machine.helper("vault", Username="vault", Secret="2")
    machine.helper("cloud", Username="<token>", Secret="identity")
    assert machine.find("a.io/x") == Login(identity_token="identity")
    assert machine.find("python") == Login(identity_token="identity")
    assert machine.find("c.io/x") == Login("vault", "2")


def test_a_helper_that_has_nothing_is_no_error(machine: Machine) -> None:
    machine.config(credsStore="vault")
    machine.helper("vault")
    assert machine.find("a.io/x") is None


@pytest.mark.parametrize("name", ["missing", "../../bin/sh", "-x", "a b", "x/y"])
def test_a_helper_that_is_none_is_told(machine: Machine, name: str) -> None:
    machine.config(credHelpers={"a.io": name})
    with pytest.raises(ConfigError, match="credential"):
        machine.find("a.io/x")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("#!/bin/sh\necho secret-that-leaked; exit 3\n", "get failed with exit code 3"),
        ('#!/bin/sh\necho \'{{"Secret": "secret-that-leaked"\'\n', "get answered something that is no login"),
        ("#!/bin/sh\necho '[\"secret-that-leaked\"]'\n", "get answered something that is no login"),
        ("#!/no/such/program\n", "cannot be run"),
    ],
)
def test_what_a_helper_prints_is_never_told(machine: Machine, program: str, message: str) -> None:
    machine.config(credsStore="vault")
    machine.helper("vault", program)
    with pytest.raises(ConfigError, match=message) as caught:
        machine.find("a.io/x")
    assert "leaked" not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


def test_a_helper_that_hangs_is_given_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_helper, "WAIT_S", 0.05)
    machine.config(credsStore="vault")
    machine.helper("vault", "#!/bin/sh\nexec sleep 30\n")
    with pytest.raises(ConfigError, match="did not end within"):
        machine.find("a.io/x")


def test_a_helper_keeps_and_forgets(machine: Machine) -> None:
    helper = Helper(str(machine.helper("vault")))
    helper.store("a.io", "me", "secret")
    assert helper.get("a.io") == ("me", "secret")
    assert json.loads((machine.folder / "docker-credential-vault.json").read_text())["ServerURL"] == "a.io"
    helper.erase("a.io")
    assert helper.get("a.io") is None
    with pytest.raises(ConfigError, match="erase failed"):
        helper.erase("a.io")


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_a_login_does_not_show_what_is_secret(username: str, password: str, token: str) -> None:
    for login in (Login(username, password), Login(identity_token=token)):
        assert repr(login) == f"Login({login.username!r}, …)"
        assert login.basic.startswith("Basic ")


def test_docker_hub_has_an_odd_name_where_logins_are_kept() -> None:
    assert (server_name("docker.io"), server_name("ghcr.io")) == (HUB_SERVER, "ghcr.io")


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_file_breaks_it(content: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps({"auths": {"a.io": content, "b.io": {"auth": content}}}))
        for image in ("a.io/x", "b.io/x"):
            login_for(parse_reference(image), {"HOME": folder, "DOCKER_CONFIG": folder})


def test_a_helper_is_a_program_of_the_path_and_nothing_else(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.folder / "docker-credential-x").mkdir()
    program = machine.helper("vault", Username="stray", Secret="1")
    program.rename(machine.folder / "stray")
    monkeypatch.chdir(machine.folder)
    machine.config(credHelpers={"a.io": "x/../stray"})
    with pytest.raises(ConfigError, match="is not the name of a credential helper"):
        machine.find("a.io/x")


def test_only_a_helper_that_fails_can_have_nothing(machine: Machine) -> None:
    machine.config(credsStore="vault")
    machine.helper("vault", Username="me", Secret="credentials not found")
    assert machine.find("a.io/x") == Login("me", "credentials not found")
