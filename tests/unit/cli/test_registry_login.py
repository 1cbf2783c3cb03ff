"""registry-login: the file that faas-cli makes, and logins that are tried and kept."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.oci.registry.double import Double, in_thread

from dayfly.oci.credentials import Login

Run = Callable[..., Any]
AUTH = {"auth": base64.b64encode(b"me:s3cret").decode()}


@pytest.fixture
def registry() -> Iterator[Double]:
    with in_thread() as double:
        yield double


@pytest.fixture(autouse=True)
def account(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return home


def written(home: Path) -> Any:
    path = home / "credentials" / "config.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (path.parent / ".gitignore").read_text() == "*\n"
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("options", "server"),
    [
        ((), "https://index.docker.io/v1/"),
        (("--server", "ghcr.io"), "ghcr.io"),
        (("--server", "https://x.io/v2/"), "https://x.io/v2/"),
    ],
)
def test_a_login_is_written_as_faas_cli_writes_it(
    dayfly: Run, home: Path, options: tuple[str, ...], server: str
) -> None:
    outcome = dayfly("registry-login", "-u", "me", "--password-stdin", *options, stdin="s3cret\n")
    assert (outcome.exit_code, outcome.stdout) == (0, "\nWrote ./credentials/config.json..OK\n")
    assert written(home) == {"auths": {server: AUTH}}
    assert "s3cret" not in outcome.stdout + outcome.stderr


def test_a_password_on_the_command_line_is_taken_with_a_warning(dayfly: Run, home: Path) -> None:
    outcome = dayfly("registry-login", "--username", "me", "--password", "s3cret")
    assert "WARNING! Using --password is insecure" in outcome.stderr
    assert written(home)["auths"]["https://index.docker.io/v1/"] == AUTH


def test_amazon_s_helper_is_named(dayfly: Run, home: Path) -> None:
    outcome = dayfly("registry-login", "--ecr", "--account-id", "123456789012", "--region", "eu-west-1")
    assert (outcome.exit_code, outcome.stdout) == (0, "\nWrote ./credentials/config.json..OK\n")
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert written(home) == {"credsStore": "ecr-login", "credHelpers": {host: "ecr-login"}}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-u", "me"), "Use --password-stdin"),
        (("-u", "me", "--password", ""), "must not be empty"),
        (("-u", "me", "--password", "x", "-s"), "not both"),
        (("--password", "x"), "needs a --username"),
        (("-u", "a:b", "--password", "x"), "no colon"),
        (("-u", "me", "--password", "x", "--server", "not a host"), "is no registry"),
        (("-u", "me", "--password", "x", "--server", "team"), "is no registry"),
        (("-u", "me", "--password", "x", "--region", "eu-west-1"), "go with --ecr"),
        (("--ecr", "--region", "eu-west-1"), "needs --account-id"),
        (("--ecr", "--account-id", "123456789012", "--region", "../x"), "such as eu-west-1"),
        (("--ecr", "--account-id", "123456789012", "--region", "eu-west-1", "-u", "me"), "does not go with --ecr"),
        (("--ecr", "--account-id", "123456789012", "--region", "eu-west-1", "--save"), "do not go with --ecr"),
    ],
)
def test_what_is_no_login_writes_nothing(dayfly: Run, home: Path, options: tuple[str, ...], why: str) -> None:
    outcome = dayfly("registry-login", *options)
    assert outcome.exit_code == 64
    assert why in outcome.stderr
    assert not (home / "credentials").exists()


def test_a_login_that_is_kept_is_tried_first(dayfly: Run, home: Path, registry: Double) -> None:
    config = home.parent / "home/.docker/config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": "x"}}, "detachKeys": "ctrl-e"}))
    registry.challenge, registry.authorization = 'Basic realm="x"', Login("me", "s3cret").basic
    options = ("registry-login", "--save", "--server", registry.host, "-u", "me", "-s")
    outcome = dayfly(*options, stdin="wrong")
    assert outcome.exit_code == 77
    assert "does not take this login" in outcome.stderr
    assert registry.host not in config.read_text()
    outcome = dayfly(*options, stdin="s3cret")
    assert (outcome.exit_code, outcome.stdout) == (
        0, f"credentials saved for me {registry.host} in {config}\n"
    )  # fmt: skip
    kept = json.loads(config.read_text())
    assert kept == {"auths": {"ghcr.io": {"auth": "x"}, registry.host: AUTH}, "detachKeys": "ctrl-e"}
    assert config.stat().st_mode & 0o777 == 0o600
    assert not (home / "credentials").exists()


def test_a_registry_that_asks_nobody_cannot_say_whether_it_is_right(dayfly: Run, registry: Double) -> None:
    outcome = dayfly("registry-login", "--save", "--server", registry.host, "-u", "me", "-s", stdin="s3cret")
    assert outcome.exit_code == 0
    assert "could not be tried" in outcome.stderr


@pytest.mark.parametrize("config", [{"credsStore": "vault"}, {"credHelpers": {"HOST": "vault"}, "credsStore": "other"}])
def test_a_keychain_that_is_named_keeps_it(
    dayfly: Run, home: Path, registry: Double, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    folder = home / "bin"
    folder.mkdir()
    (folder / "docker-credential-vault").write_text('#!/bin/sh\n[ "$1" = store ] && cat >"$0.json"\n')
    (folder / "docker-credential-vault").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "docker"))
    (home / "docker").mkdir()
    before = json.dumps(config).replace("HOST", registry.host)
    (home / "docker/config.json").write_text(before)
    outcome = dayfly("registry-login", "--save", "--server", registry.host, "-u", "me", "-s", stdin="s3cret")
    assert outcome.exit_code == 0, outcome.stderr
    assert "in docker-credential-vault" in outcome.stdout
    assert json.loads((folder / "docker-credential-vault.json").read_text()) == {
        "ServerURL": registry.host, "Username": "me", "Secret": "s3cret"
    }  # fmt: skip
    assert (home / "docker/config.json").read_text() == before
