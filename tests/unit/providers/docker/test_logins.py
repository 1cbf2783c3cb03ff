"""Logins at registries, as the engine is told of them; how they are found is `oci/credentials`'s."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.errors import ConfigError
from dayfly.providers.docker.logins import HEADER, find

DIGEST = f"sha256:{'0' * 64}"


def shown(folder: Path, content: object, image: str) -> Any:
    """What the engine is told when this is in the file of logins; None when nothing."""
    (folder / "config.json").write_text(json.dumps(content))
    environ = {"HOME": str(folder / "home"), "DOCKER_CONFIG": str(folder)}
    headers = asyncio.run(find(image, environ))
    return json.loads(base64.urlsafe_b64decode(headers[HEADER])) if headers else None


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("image", ["ghcr.io/team/app", "ghcr.io/team/app:1", f"ghcr.io/team/app@{DIGEST}"])
def test_a_login_is_told_with_its_registry(tmp_path: Path, image: str) -> None:
    assert shown(tmp_path, {"auths": {"ghcr.io": auth("me:pass:word")}}, image) == {
        "username": "me", "password": "pass:word", "serveraddress": "ghcr.io"
    }  # fmt: skip


@pytest.mark.parametrize("image", ["python", "team/app", "docker.io/team/app:1"])
def test_docker_hub_is_told_by_its_odd_name(tmp_path: Path, image: str) -> None:
    key = "https://index.docker.io/v1/"
    assert shown(tmp_path, {"auths": {key: auth("me:secret")}}, image)["serveraddress"] == key


def test_an_identity_token_is_told_alone(tmp_path: Path) -> None:
    entry = {**auth("me:x"), "identitytoken": "t"}
    assert shown(tmp_path, {"auths": {"ghcr.io": entry}}, "ghcr.io/a/b") == {
        "identitytoken": "t", "serveraddress": "ghcr.io"
    }  # fmt: skip


def test_nothing_is_told_where_nothing_is_kept(tmp_path: Path) -> None:
    assert shown(tmp_path, {"auths": {"ghcr.io": auth("me:x")}}, "ghcr.io.evil.example/a/b") is None


def test_a_helper_s_login_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-vault"
    helper.write_text('#!/bin/sh\necho \'{"Username": "me", "Secret": "kept"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert shown(tmp_path, {"credsStore": "vault"}, "ghcr.io/a/b")["password"] == "kept"
    helper.unlink()
    with pytest.raises(ConfigError, match="docker-credential-vault"):
        shown(tmp_path, {"credsStore": "vault"}, "ghcr.io/a/b")
